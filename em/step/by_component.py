"""Numeric M-steps, one for each component, where components share no parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from ..machine.maximise import maximise
from ..rows import point, row_density

if TYPE_CHECKING:
    from ..plan.chunks import Rows
    from ..plan.program import Block, Params, Program


def maximise_each(
    program: Program,
    block: Block,
    weights: jax.Array | None,
    statistics: dict,
    params: Params,
    rows: Rows,
    inner: jax.Array | int,
) -> Params:
    """New parameters of a separable block, every component by its own Newton iterations.

    ``weights`` (k, n) are the responsibilities times the row weights, for sites that are replayed.
    """
    unconstrained = program.unconstrain(params, rows.arrays, block.parameters)
    replayed = tuple(n for n in program.rowwise if n in block.sites)
    statistical = [s for s in program.statistical if s.name in block.sites]
    slices = {n: v[0] for n, v in unconstrained.items()}
    _, unravel = ravel_pytree(slices)
    limit, _ = ravel_pytree(
        {n: jnp.full_like(v, program.limit(n, rows)) for n, v in slices.items()}
    )

    def one(component: jax.Array) -> dict:
        own = {n: v[component] for n, v in unconstrained.items()}
        scale = jnp.ones(())

        def objective(vector: jax.Array) -> jax.Array:
            new_slices = unravel(vector)
            full = {n: v.at[component].set(new_slices[n]) for n, v in unconstrained.items()}
            new = program.constrain(full, params, rows.arrays)
            total = jnp.zeros(())
            names = [s.name for s in statistical]
            args = point.arguments(program, new, rows, names) if names else {}
            for site in statistical:
                mine = {n: v[component][None] for n, v in args[site.name].items()}
                eta, normaliser = site.family.natural(mine, rows.reference[site.name])
                stats = statistics[site.name]
                total += (eta[0] * stats.sums[component]).sum()
                total -= (normaliser[0] * stats.count[component]).sum()
            if replayed:
                assert weights is not None
                by_row = row_density.log_density_of(program, new, rows, replayed, component)
                total += weighted_sum(weights[component], by_row)
            return total / scale

        if weights is not None:
            scale = weights[component].sum()
        elif statistical:
            scale = statistics[statistical[0].name].count[component].max()
        scale = jnp.maximum(scale, 1)
        return unravel(maximise(objective, ravel_pytree(own)[0], inner, limit))

    found = jax.vmap(one)(jnp.arange(program.num_components))
    new = program.constrain(found, params, rows.arrays)
    return {name: new[name] for name in block.parameters}


def weighted_sum(weight: jax.Array, log_density: jax.Array) -> jax.Array:
    """A row without weight does not count, be its density 0."""
    used = weight > 0
    return jnp.where(used, weight * jnp.where(used, log_density, 0), 0).sum()
