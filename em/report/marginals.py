"""What each class says of one column: its density there, and its mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ...distributions import EigenNormal
from ...distributions.or_uniform import NormalOrUniform, OrUniform
from ..machine.jit import quick_jit
from ..plan.program import Params
from ..read import layout
from ..read.latents import Level
from ..read.structure import Data
from ..read.units import owners as owners_of
from .columns import Columns

if TYPE_CHECKING:
    from .result import Result

# Entries of an argument from which on grid points take turns.
_MANY = 1000


def _deviations(fn: Any) -> jax.Array:
    return jnp.sqrt(jnp.diagonal(fn.covariance_matrix, axis1=-2, axis2=-1))


def _of_normal(fn: Any) -> dist.Distribution:
    return dist.Normal(fn.loc, _deviations(fn))


def _of_student(fn: Any) -> dist.Distribution:
    scale = jnp.sqrt((fn.scale_tril**2).sum(-1))
    return dist.StudentT(fn.df[..., None], fn.loc, scale)


def _of_dirichlet(fn: Any) -> dist.Distribution:
    total = fn.concentration.sum(-1, keepdims=True)
    return dist.Beta(fn.concentration, total - fn.concentration)


def _of_multinomial(fn: Any) -> dist.Distribution:
    return dist.BinomialProbs(fn.probs, jnp.asarray(fn.total_count)[..., None])


def _of_dirichlet_multinomial(fn: Any) -> dist.Distribution:
    a = fn.concentration
    rest = a.sum(-1, keepdims=True) - a
    return dist.BetaBinomial(a, rest, jnp.asarray(fn.total_count)[..., None])


def _of_noisy(fn: Any) -> dist.Distribution:
    base = dist.Normal(*jnp.broadcast_arrays(fn.base_dist.loc, _deviations(fn.base_dist)))
    return NormalOrUniform(base, fn.uniform[..., None], fn.low, fn.high)


# The law of each coordinate of a vector: {type: of batch (...) and event (d,) to batch (..., d)}.
_COORDINATES: Mapping[type, Callable[[Any], dist.Distribution]] = {
    dist.MultivariateNormal: _of_normal,
    dist.LowRankMultivariateNormal: _of_normal,
    EigenNormal: _of_normal,
    dist.MultivariateStudentT: _of_student,
    dist.Dirichlet: _of_dirichlet,
    dist.MultinomialProbs: _of_multinomial,
    dist.MultinomialLogits: _of_multinomial,
    dist.DirichletMultinomial: _of_dirichlet_multinomial,
    OrUniform: _of_noisy,
}


def by_coordinate(fn: dist.Distribution) -> dist.Distribution:
    """The marginal law of each coordinate, vectors' coordinates as the last batch dimension.

    Raises:
        ValueError: vectors whose marginals are not known.
    """
    if not fn.event_shape:
        return fn
    for kind, make in _COORDINATES.items():
        if isinstance(fn, kind):
            return make(fn)
    raise ValueError(
        f"the law of single coordinates of a {type(fn).__name__} is not known; fit.plot.clusters() "
        "shows the rows without it"
    )


def shares(fit: Result, columns: Columns) -> np.ndarray:
    """(k, n or 1) ``p(class)`` of the rows before they are seen.

    In a chain ``p(class | data)`` of the step, which has no such prior without the steps before.
    """
    program, level = fit.program, columns.level
    if program.structure.chain is not None:
        return columns.responsibilities.T

    def of(params: Params, arrays: tuple) -> jax.Array:
        log_weights = program.log_weights(params, arrays, 0, program.constant)
        units = log_weights if log_weights.ndim == 2 else log_weights[:, None]
        if level == 0:
            return jnp.exp(units)
        own = program.log_weights(params, arrays, level, program.constant)
        own = own if own.ndim == 2 else own[:, None]
        if units.shape[1] > 1:
            units = units[:, owners_of(program, arrays, level)]
        return jnp.exp(jnp.repeat(units, own.shape[0] // units.shape[0], 0) + own)

    compiled = program.compiled(("shares of", level), lambda: quick_jit(program, of))
    return np.asarray(compiled(fit.free, fit.call.arrays), float)


def densities(fit: Result, columns: Columns, which: int, grid: np.ndarray) -> np.ndarray:
    """(k, g) each class's part of the density (or probability) of a column at points ``grid``.

    ``sum_n w_n p(z_n = k) f(x | z_n = k, row n) / sum_n w_n`` over the rows in which the column is
    there: the classes' parts add up to the density of a row taken at random.

    Raises:
        ValueError: vectors whose marginals are not known.
    """
    program, level = fit.program, fit.program.structure.levels[columns.level]
    site, place = columns.sites[which], columns.places[which]
    (data,) = (d for d in program.structure.data if d.name == site)
    cells = columns.sites.count(site)
    weight = columns.weights * ~np.isnan(columns.values[which])
    by_row = np.broadcast_to(shares(fit, columns), (len(columns.classes), len(weight)))
    by_row = by_row * (weight / weight.sum())

    def of(params: Params, arrays: tuple, weights: Any, values: Any) -> jax.Array:
        def one(component: jax.Array, share: jax.Array) -> jax.Array:
            trace = program.run(params, arrays, component, level=columns.level)
            fn = by_coordinate(layout.family_of(trace[site]))

            def at(value: jax.Array) -> jax.Array:
                log_prob = fn.log_prob(_laid_out(value, cells, level, data))
                rank = data.cell_rank + data.event_rank
                own = layout.rows_first(log_prob, level, data.batch_rank, rank, 0)[:, place]
                return (share * jnp.exp(own)).sum()

            many = math.prod(fn.batch_shape) > _MANY
            return jax.lax.map(at, values) if many else jax.vmap(at)(values)

        return jax.vmap(one)(jnp.arange(len(weights)), weights)

    key = ("density of", site, place, len(grid))
    compiled = program.compiled(key, lambda: quick_jit(program, of, 10))
    dtype = fit.rows.weights.dtype
    kind = jnp.result_type(int) if data.discrete else dtype
    values = jnp.asarray(grid, kind)
    found = compiled(fit.free, fit.call.arrays, jnp.asarray(by_row, dtype), values)
    return np.where(np.isnan(found), 0, found)


def _laid_out(value: jax.Array, cells: int, level: Level, data: Data) -> jax.Array:
    """One number as a row of observations: it broadcasts over the rows."""
    rank = data.batch_rank + data.cell_rank
    rows = {data.batch_rank + d for d in level.row_dims}
    shape = [1 if axis in rows else data.shape[axis] for axis in range(rank)]
    if data.event_rank:
        shape.append(data.shape[-1])
    assert math.prod(shape) == cells
    return jnp.broadcast_to(value, tuple(shape))


def means(
    fit: Result, columns: Columns, slopes: bool = False
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(k, d) the mean of each column by class; {free parameter: (k, d, shape)} its slopes.

    Averaged over the rows with their weights, where covariates move it. A category's mean is that
    of its number: of a Bernoulli its probability.

    Raises:
        ValueError: vectors whose marginals are not known, or a law without a mean.
    """
    program, structure = fit.program, fit.program.structure
    level = structure.levels[columns.level]
    weights = jnp.asarray(columns.weights / columns.weights.sum(), fit.rows.weights.dtype)
    own = [d for d in structure.data if d.name in columns.sites]

    def one(params: Params, component: jax.Array, arrays: tuple, weights: jax.Array) -> jax.Array:
        trace = program.run(params, arrays, component, level=columns.level)
        out = []
        for data in own:
            fn = by_coordinate(layout.family_of(trace[data.name]))
            mean = layout.argument(_mean(fn), level, data, data.event_rank)
            mean = mean.reshape(mean.shape[0], -1)
            out.append(mean[0] if len(mean) == 1 else weights @ mean)
        return jnp.concatenate(out)

    def of(params: Params, arrays: tuple, weights: jax.Array) -> jax.Array:
        numbers = jnp.arange(len(columns.classes))
        return jax.vmap(lambda j: one(params, j, arrays, weights))(numbers)

    def both(params: Params, arrays: tuple, weights: jax.Array) -> tuple[jax.Array, Params]:
        slope = jax.jacfwd(of)(params, arrays, weights) if slopes and params else {}
        return of(params, arrays, weights), slope

    key = ("means of", columns.level, slopes)
    size = sum(p.size for p in structure.free) if slopes else 1
    compiled = program.compiled(key, lambda: quick_jit(program, both, size))
    mean, slope = compiled(fit.free, fit.call.arrays, weights)
    return np.asarray(mean, float), {n: np.asarray(s, float) for n, s in slope.items()}


def _mean(fn: dist.Distribution) -> jax.Array:
    if fn.is_discrete and fn.has_enumerate_support and not hasattr(fn, "total_count"):
        support = fn.enumerate_support(expand=False)
        return jnp.tensordot(support.ravel().astype(float), jnp.exp(fn.log_prob(support)), 1)
    try:
        return jnp.broadcast_to(fn.mean, fn.batch_shape)
    except NotImplementedError:
        raise ValueError(
            f"the mean of a {type(fn).__name__} is not known; fit.plot.density() shows its classes"
        ) from None
