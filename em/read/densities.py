"""The densities of a model's rows, level by level, in one run of it."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from . import layout
from .structure import Structure


def level_density(
    structure: Structure, trace: dict, z: dict[str, jax.Array] | None, level: int
) -> jax.Array:
    """(n,) the log density of a level's rows in a trace, with the prior of their classes ``z``."""
    rows = structure.levels[level]
    total = jnp.zeros((rows.num_rows,))
    for data in structure.data:
        if data.level == level:
            total += layout.row_log_prob(trace[data.name], rows, data)
    for latent in structure.latents:
        if z is not None and latent.level == level:
            fn = layout.family_of(trace[latent.prior])
            value = layout.rows_first(fn.log_prob(z[latent.name]), rows, latent.batch_rank, 0, 0)
            total += value[:, 0]
    return total


def natural_shape(structure: Structure, classes: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Every latent at its natural shape, from its classes (n,) by rows."""
    return {z.name: classes[z.name].reshape(z.value(0, False).shape) for z in structure.latents}
