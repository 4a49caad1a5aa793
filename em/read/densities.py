"""The densities of a model's rows, level by level, in one run of it."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp

from . import layout
from .latents import Level
from .structure import Structure


def level_density(
    structure: Structure, trace: dict, z: dict[str, jax.Array] | None, level: int
) -> jax.Array:
    """(n,) the log density of a level's rows in a trace, with the prior of their classes ``z``."""
    rows = structure.levels[level]
    total = jnp.zeros((rows.num_rows,))
    for data in structure.data:
        if data.level == level:
            site = trace[data.name]
            own, rank = _laid_out(structure, data.name, site, data.batch_rank, rows)
            shape = data.shape
            if rank < data.batch_rank:
                shape = (shape[0], *shape[1 + data.batch_rank - rank :])
            total += layout.row_log_prob(site, own, replace(data, shape=shape, batch_rank=rank))
    for latent in structure.latents:
        if z is not None and latent.level == level:
            site = trace[latent.prior]
            own, rank = _laid_out(structure, latent.prior, site, latent.batch_rank, rows)
            log_prob = layout.family_of(site).log_prob(z[latent.name])
            total += layout.rows_first(log_prob, own, rank, 0, 0)[:, 0]
    return total


def _laid_out(
    structure: Structure, name: str, site: dict, rank: int, rows: Level
) -> tuple[Level, int]:
    """The rows of a site, and its batch dimensions.

    NumPyro's own scan has time before those that a site has itself, which may be fewer.
    """
    chain, own = structure.chain, len(site["fn"].batch_shape)
    if chain is None or name not in chain.sites or own >= rank:
        return rows, rank
    return replace(rows, row_dims=(-own, *rows.row_dims[1:])), own


def natural_shape(structure: Structure, classes: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Every latent at its natural shape, from its classes (n,) by rows."""
    return {z.name: classes[z.name].reshape(structure.natural(z)) for z in structure.latents}
