"""Features whose natural parameters all components share: their totals are all that EM needs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp

from ..families import Args
from ..machine.arrays import product
from ..plan.chunks import Chunk, Rows
from ..plan.program import Program


def totals(program: Program, rows: Rows) -> dict[str, jax.Array]:
    """{site: (c, q) the weighted sums over all rows} of those features that components share."""
    if not program.own:
        return {}
    of = partial(_of_chunk, program, rows.reference)

    def add(found: dict, chunks: Chunk) -> tuple[dict, None]:
        every = jax.tree.map(lambda a: a.sum(0), jax.vmap(of)(chunks))
        return jax.tree.map(jnp.add, found, every), None

    first = jax.tree.map(lambda a: a[0, 0], rows.chunks)
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(of, first))
    found, _ = jax.lax.scan(add, zeros, rows.chunks)
    for inner in rows.inner.values():
        found |= of(inner.chunk)
    return found


def _of_chunk(
    program: Program, reference: Mapping[str, Args], chunk: Chunk
) -> dict[str, jax.Array]:
    out = {}
    for name, features in program.features(chunk, reference).items():
        if name in program.own:
            cells = features.reshape(len(chunk.u[name]), -1, features.shape[-1])
            shared = cells[:, program.own[name] :]
            out[name] = product(shared, chunk.weights)
    return out


def own_features(
    program: Program, chunk: Chunk, reference: Mapping[str, Args], augmented: bool = False
) -> dict[str, jax.Array]:
    """{site: (c q, rows)} the features of some rows that differ between components."""
    out = program.features(chunk, reference, augmented)
    for name, number in program.own.items():
        if name in out:
            each = out[name].reshape(len(chunk.u[name]), -1, out[name].shape[-1])
            out[name] = each[:, :number].reshape(-1, each.shape[-1])
    return out


def with_shared(sums: Mapping[str, jax.Array], rows: Rows) -> dict[str, jax.Array]:
    """Sums (k, c q) of the components' own features, with the others': each gets a part.

    Whatever reads them asks for the total over components: they have one parameter. What a
    component gets is not its own, and a scatter made of it may be negative.
    """
    out = dict(sums)
    for name, total in rows.shared.items():
        k, (cells, _) = len(sums[name]), total.shape
        mine = sums[name].reshape(k, cells, -1)
        others = jnp.broadcast_to(total / k, (k, *total.shape))
        out[name] = jnp.concatenate([mine, others], -1).reshape(k, -1)
    return out
