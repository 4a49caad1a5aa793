"""Where the sequences of a chain end: after the last step that is not masked."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .. import layout
from ..structure import Structure
from .over_time import masks


def going_on(structure: Structure, trace: dict) -> jax.Array:
    """(n,) 1 where a step of a chain, or a later one, is not masked; 0 where it has ended."""
    chain, units = structure.chain, structure.levels[0]
    assert chain is not None
    there = jnp.zeros((units.num_rows,), bool)
    for latent in structure.latents:
        if latent.name in chain.constant:  # a sequence has its class without any step
            continue
        own = jnp.ones((units.num_rows,), bool)
        for mask in masks(trace[latent.prior]["fn"]):
            rows = layout.rows_first(mask, units, latent.batch_rank, 0, 0)
            own &= jnp.broadcast_to(rows[:, 0], own.shape)
        there |= own
    by_time = there.reshape(chain.length, chain.number)
    later = jax.lax.cummax(by_time.astype(jnp.int32), 0, reverse=True)
    return later.reshape(-1).astype(layout.float_type())
