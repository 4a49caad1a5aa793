"""Climbing what a block's parameters enter, in unconstrained coordinates."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from ...machine.maximise import maximise
from ...plan.program import Params
from ..by_component import maximise_each
from ..expectation import site_statistics
from ..expected import expected_log_likelihood, weighted_rows
from ..prior import log_prior
from ..work import Work

Objective = Callable[[Params], jax.Array]


def climbed(work: Work) -> Params:
    """Up from where the parameters are, component by component where these share nothing."""
    program, block, expected, params, rows, inner = work
    if block.separable:
        weights = weighted_rows(expected, rows, 0)
        statistics = site_statistics(program, expected, rows, block.sites)
        return maximise_each(program, block, weights, statistics, params, rows, inner)
    if block.prior:
        return ascended(work, expected_log_posterior(work))
    return ascended(work, expected_log_likelihood(program, block, expected, rows))


def expected_log_posterior(work: Work) -> Objective:
    """The part of EM's Q that a block's parameters enter, and the log prior."""
    program, rows = work.program, work.rows
    likelihood = expected_log_likelihood(program, work.block, work.expected, rows)

    def objective(new: Params) -> jax.Array:
        return likelihood(new) + log_prior(program, new, rows.arrays)

    return objective


def higher(objective: Objective, a: Params, b: Params) -> Params:
    """``a`` if it is higher, otherwise ``b``."""
    better = objective(a) > objective(b)
    return {n: jnp.where(better, a[n], v) for n, v in b.items()}


def ascended(work: Work, objective: Objective) -> Params:
    """Up by Newton's method or L-BFGS, in ``inner`` steps at most."""
    program, block, expected, params, rows, inner = work
    unconstrained = program.unconstrain(params, rows.arrays, block.parameters)
    limits = {n: jnp.full_like(v, program.limit(n, rows)) for n, v in unconstrained.items()}
    (start, unravel), (limit, _) = ravel_pytree(unconstrained), ravel_pytree(limits)
    # Where no row counts, a prior's own size is 1.
    scale = jnp.maximum(expected.counts.sum(), 1) if block.sites else 1.0

    def constrain(vector: jax.Array) -> Params:
        return program.constrain(unravel(vector), params, rows.arrays)

    found = maximise(lambda vector: objective(constrain(vector)) / scale, start, inner, limit)
    new = constrain(found)
    return {name: new[name] for name in block.parameters}
