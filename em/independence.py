"""Where the jaxpr leaves doubt: does each row depend on its own z only, however z is given?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from . import layout
from .arguments import Call
from .structure import Structure

if TYPE_CHECKING:
    from .reader import Reader

_MAX_NUMBERS = 2e7


def confirm(reader: Reader, call: Call) -> Structure:
    """The structure with the way of giving z that is right, found by trying.

    At random admissible parameters, z is changed in single rows: only that row's density may
    move. Then z as one broadcasting value is compared with z at its natural shape, which is used
    where they differ. Data so large that this would not fit, or not known yet (read while JAX
    traces), are taken at the natural shape.

    Raises:
        ValueError: a row's density depends on another row's z.
    """
    structure = reader.structure
    latent = structure.latent
    natural = replace(structure, pointwise=False, certain=True)
    if latent.num_components == 1:
        return replace(structure, certain=True)
    size = sum(np.prod(d.shape) for d in structure.data) * latent.num_components
    if size > _MAX_NUMBERS or any(isinstance(a, jax.core.Tracer) for a in call.arrays):
        return natural
    shape, full = structure.latent_value(0).shape, natural.latent_value(0).shape
    rng = np.random.default_rng(0)
    n = latent.num_rows
    rows = np.unique([0, n - 1, n // 2, *rng.integers(n, size=3)])
    base = np.zeros((1 + len(rows), *full), int)
    flat = base.reshape(1 + len(rows), -1)
    flat[np.arange(len(rows)) + 1, rows] = 1

    def density(z: jax.Array, arrays: tuple) -> jax.Array:
        params = reader.example(arrays, 1)
        trace = reader.run(params, arrays, 0, z=z)
        return jnp.stack(
            [layout.row_log_prob(trace[d.name], latent, d) for d in structure.data]
        ).sum(0)

    def both(changed: jax.Array, arrays: tuple) -> tuple[jax.Array, jax.Array, jax.Array]:
        each = jax.lax.map(lambda z: density(z, arrays), changed)
        one = density(jnp.ones(full, int), arrays)
        broadcast = density(jnp.ones(shape, int), arrays) if structure.pointwise else one
        return each, one, broadcast

    with jax.ensure_compile_time_eval():
        found = jax.jit(both)(jnp.asarray(base), call.arrays)
        each, one, broadcast = map(np.asarray, found)
    for row, changed in zip(rows, each[1:], strict=True):
        moved = ~np.isclose(changed, each[0], rtol=1e-5, atol=1e-6, equal_nan=True)
        moved[row] = False
        if moved.any():
            raise ValueError(
                f"the density of row {int(np.argmax(moved))} depends on {latent.name!r} of row "
                f"{int(row)}: EM needs rows that depend on their own class only. Index or "
                f"combine {latent.name!r} within its row"
            )
    same = np.allclose(one, broadcast, rtol=1e-4, atol=1e-5, equal_nan=True)
    return replace(structure, certain=True) if structure.pointwise and same else natural
