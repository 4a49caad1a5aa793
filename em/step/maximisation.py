"""The M-step: each block of parameters by its rung of the ladder."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ..families import Args, Statistics
from ..machine.maximise import maximise
from ..plan.blocks import (
    ABSORBED,
    ROW_EQUATIONS,
    WITH_PRIOR,
    Block,
    FamilySite,
    RowSite,
    StatisticalSite,
)
from ..plan.chunks import Rows
from ..plan.conjugate import coefficients, site_of
from ..plan.program import Params, Program
from ..rows import point
from .by_component import maximise_each
from .expectation import Expectation, site_statistics, with_pooled
from .expected import expected_log_likelihood, weighted_rows
from .prior import log_prior

FIRST_STEPS, INNER_STEPS, FIRST_ROUNDS, ROUNDS = 100, 10, 10, 2


def m_step(
    program: Program,
    expected: Expectation,
    params: Params,
    rows: Rows,
    inner: jax.Array | int = INNER_STEPS,
) -> Params:
    """Parameters that raise the expected complete-data log-likelihood, block by block.

    ``inner`` bounds the steps of the numeric rungs; those start from ``params`` and never lower
    the objective, so EM stays monotone however few they take.
    """
    new = dict(params)
    for block in program.blocks:
        # Priors may tie blocks together, so these take turns (ECM), which ascends all the same.
        if block.rung == ABSORBED:
            new.update(_absorbed(program, block, expected, new, rows, inner))
        elif block.prior:
            new.update(_with_prior(program, block, expected, new, rows, inner))
        elif block.rung == ROW_EQUATIONS:
            new.update(_improved(program, block, expected, params, rows, inner))
        elif block.numeric:
            new.update(_numeric(program, block, expected, params, rows, inner))
        else:
            new.update(_estimated(program, block, expected, params, rows))
    return new


def _estimated(
    program: Program, block: Block, expected: Expectation, params: Params, rows: Rows
) -> Params:
    site = site_of(program, block)
    assert isinstance(site, StatisticalSite)
    assert site.ties is not None
    args = point.arguments(program, params, rows)[site.name]
    statistics, reference = _site_statistics(program, site, expected, args, rows)
    estimates = site.family.estimate(statistics, args, site.ties, reference)
    return _as_parameters(program, block, site, estimates, params)


def _improved(
    program: Program,
    block: Block,
    expected: Expectation,
    params: Params,
    rows: Rows,
    inner: jax.Array | int,
) -> Params:
    site = site_of(program, block)
    assert isinstance(site, RowSite)
    weights = weighted_rows(expected, rows, site.level)
    assert weights is not None
    u, known, seen, reference = rows.of(site.name, site.level)
    weights = weights[:, None] if seen is None else weights[:, None] * seen

    def once(_: jax.Array, args: Args) -> Args:
        return site.family.improve(u, weights, known, args, site.ties, reference)

    args = point.arguments(program, params, rows)[site.name]
    # Some go up by one conditional maximisation a step: the first one begins far away.
    repeats = jnp.where(jnp.asarray(inner) > INNER_STEPS, FIRST_ROUNDS, 1)
    args = jax.lax.fori_loop(0, repeats, once, dict(args))
    return _as_parameters(program, block, site, args, params)


def _as_parameters(
    program: Program, block: Block, site: FamilySite, args: Args, params: Params
) -> Params:
    """The parameters of a block from the arguments that they are."""
    flat = jnp.concatenate([args[name].ravel() for name in args])
    index = np.concatenate([e.index.ravel() for e in map(site.entries.get, args) if e is not None])
    out = {}
    starts = program.layout.starts
    for parameter, start in zip(program.layout.parameters, starts, strict=False):
        if parameter.name not in block.parameters:
            continue
        size = int(np.prod(parameter.shape))
        position = np.full(size, -1)
        inside = (index >= start) & (index < start + size)
        position[index[inside] - start] = np.nonzero(inside)[0]
        if np.array_equal(position, np.arange(position[0], position[0] + size)):
            values = jax.lax.slice(flat, (int(position[0]),), (int(position[0]) + size,))
        else:
            values = flat[position]
        out[parameter.name] = values.reshape(parameter.shape).astype(params[parameter.name].dtype)
    return out


def _site_statistics(
    program: Program, site: StatisticalSite, expected: Expectation, args: Args, rows: Rows
) -> tuple[Statistics, Args]:
    """Statistics and reference of a data site, or of a prior, whose datum is the class itself."""
    if site.latent is None:
        return site_statistics(program, expected, rows)[site.name], rows.reference[site.name]
    counts = expected.inner_counts[site.level] if site.level else expected.counts
    components = jnp.arange(counts.shape[0])
    values = program.structure.classes(components, site.level)[site.name].astype(counts.dtype)[None]
    known = {n: jnp.full_like(values, site.latent.num_components - 1) for n in site.family.known}
    reference = site.family.reference(values, counts, args, site.ties or {})
    u = site.family.coordinates(values, reference)
    features = site.family.features(u, known, reference)  # (1, q, k): component by component
    sums = jnp.moveaxis(features, -1, 0) * counts[:, None, None]
    return with_pooled(Statistics(counts[:, None], sums), site.name, rows), reference


def _numeric(
    program: Program,
    block: Block,
    expected: Expectation,
    params: Params,
    rows: Rows,
    inner: jax.Array | int,
) -> Params:
    if block.separable:
        weights = weighted_rows(expected, rows, 0)
        statistics = site_statistics(program, expected, rows)
        return maximise_each(program, block, weights, statistics, params, rows, inner)
    objective = expected_log_likelihood(program, block, expected, rows)
    return _ascended(program, block, objective, expected, params, rows, inner)


def _with_prior(
    program: Program,
    block: Block,
    expected: Expectation,
    params: Params,
    rows: Rows,
    inner: jax.Array | int,
) -> Params:
    """As `_numeric`, with the log prior; the other blocks are where they have just been put.

    Where there is an estimate without the prior, the better of it and ``params`` is where to begin.
    """
    objective = _expected_log_posterior(program, block, expected, rows)
    if block.rung == WITH_PRIOR:
        if isinstance(site_of(program, block), RowSite):
            estimate = _improved(program, block, expected, params, rows, inner)
        else:
            estimate = _estimated(program, block, expected, params, rows)
        params = _higher(objective, params | estimate, params)
    return _ascended(program, block, objective, expected, params, rows, inner)


def _absorbed(
    program: Program,
    block: Block,
    expected: Expectation,
    params: Params,
    rows: Rows,
    inner: jax.Array | int,
) -> Params:
    """The estimate with conjugate priors among the statistics.

    Where there are several arguments they take turns: what a prior of one adds may depend on the
    others (a normal loc's on the scale).
    """
    site = site_of(program, block)
    assert isinstance(site, StatisticalSite)
    assert site.ties is not None
    family, ties = site.family, site.ties
    priors = coefficients(program, site, params, rows.arrays)
    free = [n for n, tie in ties.items() if not tie.fixed.all()]
    if len(free) > 1:
        objective = _expected_log_posterior(program, block, expected, rows)
        estimate = _estimated(program, block, expected, params, rows)
        params = _higher(objective, params | estimate, params)
    args = point.arguments(program, params, rows)[site.name]
    statistics, reference = _site_statistics(program, site, expected, args, rows)

    def once(_: jax.Array | int, args: Args) -> Args:
        for name in free:
            args = family.conditional(name, priors.get(name), statistics, args, ties, reference)
        return args

    if len(free) == 1:
        args = once(0, args)
    else:
        repeats = jnp.where(jnp.asarray(inner) > INNER_STEPS, FIRST_ROUNDS, ROUNDS)
        args = jax.lax.fori_loop(0, repeats, once, args)
    return _as_parameters(program, block, site, args, params)


def _expected_log_posterior(
    program: Program, block: Block, expected: Expectation, rows: Rows
) -> Callable[[Params], jax.Array]:
    likelihood = expected_log_likelihood(program, block, expected, rows)

    def objective(new: Params) -> jax.Array:
        return likelihood(new) + log_prior(program, new, rows.arrays)

    return objective


def _higher(objective: Callable[[Params], jax.Array], a: Params, b: Params) -> Params:
    """``a`` if it is higher, otherwise ``b``."""
    better = objective(a) > objective(b)
    return {n: jnp.where(better, a[n], v) for n, v in b.items()}


def _ascended(
    program: Program,
    block: Block,
    objective: Callable[[Params], jax.Array],
    expected: Expectation,
    params: Params,
    rows: Rows,
    inner: jax.Array | int,
) -> Params:
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
