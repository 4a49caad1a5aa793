"""Numeric M-steps, one for each component, where components share no parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from . import point, row_density
from .numeric import maximise
from .quick import once_jit

if TYPE_CHECKING:
    from .call import Call
    from .chunks import Rows
    from .program import Block, Params, Program


def is_separable(program: Program, block: Block, call: Call) -> bool:
    """Whether slice j of a block's parameters reaches component j alone.

    Found by trying: at random parameters one slice is moved on the unconstrained scale, and what
    every other component computes must stay the same, bit by bit.
    """
    k = program.num_components
    shapes = {p.name: p.shape for p in program.structure.free if p.name in block.parameters}
    sites = [s for s in (*program.priors, *program.sites) if s.name in block.sites]
    if k == 1 or block.auxiliary or any(s.latent is not None or s.level for s in sites):
        return False
    if any(shape[:1] != (k,) for shape in shapes.values()):
        return False

    def evaluate(arrays: tuple) -> tuple[jax.Array, jax.Array]:
        params = program.example(arrays, 3)
        start = program.unconstrain(params, arrays, block.parameters)
        if any(v.shape[:1] != (k,) for v in start.values()):
            return jnp.zeros((k, k, 1)), jnp.ones((k, 1))

        def outputs(unconstrained: dict) -> jax.Array:
            new = program.constrain(unconstrained, params, arrays)
            names = tuple(n for n in program.rowwise if n in block.sites)
            parts = [program.replayed(new, arrays, names)] if names else []
            args = program.arguments(new, arrays)
            for site in program.statistical:
                if site.name in block.sites:
                    parts += [jnp.reshape(v, (k, -1)) for v in args[site.name].values()]
            return jnp.concatenate(parts, 1)

        def moved(component: jax.Array) -> jax.Array:
            return outputs({n: v.at[component].add(0.3) for n, v in start.items()})

        return jax.lax.map(moved, jnp.arange(k)), outputs(start)

    changed, base = map(np.asarray, once_jit(program, evaluate)(call.arrays))
    same = ((changed == base) | (np.isnan(changed) & np.isnan(base))).all(-1)
    return bool(same[~np.eye(k, dtype=bool)].all())


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
            args = point.arguments(program, new, rows) if statistical else {}
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
