"""Sums of rows' features by component: products with responsibilities, or each row to its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..families import Augmented
from ..machine.arrays import product
from ..plan.chunks import Chunk
from ..plan.program import Program
from .joint import augmented_site

# From so many features on, sums are products with vectors (`_weighted`).
_WIDE = 32


def sums_of(
    program: Program,
    chunk: Chunk,
    features: Mapping[str, jax.Array],
    weighted: jax.Array,
    contexts: Mapping[str, Any] | None,
    together: int = 1,
) -> dict[str, jax.Array]:
    """{site: (c q, k)} for so many chunks at a time."""
    sums = {s: _weighted(weighted, f, together) for s, f in features.items()}
    for name, context in (contexts or {}).items():
        if name in chunk.u:
            own = partial(_component_sums, *augmented_site(program, name, chunk))
            sums[name] = jax.lax.map(own, (weighted, context)).T
    return sums


def _weighted(weighted: jax.Array, features: jax.Array, together: int) -> jax.Array:
    """(q, k) the sums of features (q, n) weighted by (k, n).

    On CPUs this order of the factors can take half the time of the other, and k products with a
    vector half the time again where there are many features and no batch.
    """
    if together == 1 and len(features) >= _WIDE and jax.default_backend() == "cpu":
        return product(features, weighted[..., None])[..., 0].T
    along_rows = (((1,), (1,)), ((), ()))
    return jax.lax.dot_general(features, weighted, along_rows, precision="highest")


def _component_sums(
    family: Augmented, u: jax.Array, pattern: jax.Array, given: tuple[jax.Array, Any]
) -> jax.Array:
    weight, context = given
    return family.sums(u, pattern, weight, context).ravel()


def sums_by_label(
    features: Mapping[str, jax.Array], labels: jax.Array, weights: jax.Array, k: int
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """(k,) the weights of the rows of each component; {site: (c q, k)} sums of their features."""
    columns = jnp.concatenate([weights[None], *(f * weights for f in features.values())])
    counts, *sums = jnp.split(
        jax.ops.segment_sum(columns.T, labels, k).T,
        np.cumsum([1, *map(len, features.values())])[:-1],
    )
    return counts[0], dict(zip(features, sums, strict=True))


def labels_of(resp: jax.Array) -> jax.Array:
    """(n,) the component of each row, of responsibilities that are 0 or 1."""
    return product(jnp.arange(len(resp), dtype=resp.dtype), resp).astype(int)
