"""Weakly informative priors that several models share.

The priors of locations and scales follow Richardson and Green (1997), "On Bayesian analysis of
mixtures with an unknown number of components", JRSS-B 59:731: with m the midrange and
R the range of the data, loc ~ Normal(m, R) and variance^-1 ~ Gamma(2, b), b ~ Gamma(0.2, 10 / R^2).
Here b stays at its prior mean 0.02 R^2, so that no parameter is out of the likelihood's reach;
the mean of the variance is then 0.02 R^2, and the models that have scales or covariance matrices
in its place keep that size.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import Array
from jax.typing import ArrayLike

from ._arguments import check_positive, check_sizes, shape_of

RELATIVE_VARIANCE = 0.02


def weights_prior(num_components: int, concentration: float) -> dist.Distribution:
    """Dirichlet(c, ..., c) on (k,). With c = 1, uniform, its mode leaves the ML fit where it is."""
    check_positive("weights_concentration", concentration)
    return dist.Dirichlet(concentration * jnp.ones(num_components))


def center_and_spread(
    x: ArrayLike | None, num_features: int, center: ArrayLike | None, spread: ArrayLike | None
) -> tuple[Array, Array]:
    """Midrange and range of each column of x, both (d,); 0 and 1 without x; or what is given.

    A constant column has range 0, with which no prior would be proper: it counts as 1.
    """
    if x is None:
        middle, extent = jnp.zeros(num_features), jnp.ones(num_features)
    else:
        low, high = _edges(x)
        middle, extent = low + (high - low) / 2, jnp.where(high > low, high - low, 1.0)
    return _per_column("center", center, middle), _per_column("spread", spread, extent)


def box_of(
    x: ArrayLike | None, num_features: int, low: ArrayLike | None, high: ArrayLike | None
) -> tuple[Array, Array]:
    """Lower and upper edges (d,) of the box around x; -1 and 1 without x; or what is given.

    A constant column gets a box of size 1 about it.
    """
    if x is None:
        least, most = -jnp.ones(num_features), jnp.ones(num_features)
    else:
        least, most = _edges(x)
        flat = least == most
        least, most = jnp.where(flat, least - 0.5, least), jnp.where(flat, most + 0.5, most)
    return _per_column("low", low, least), _per_column("high", high, most)


def even_spread(x: ArrayLike | None, given: ArrayLike | None, extent: Array) -> Array:
    """R (d,) of columns with outliers: four mean absolute deviations, the range if spread evenly.

    ``extent``, the size of the box, without x and for a constant column; or what is given.
    """
    if x is None:
        return _per_column("spread", given, extent)
    values = jnp.asarray(x, dtype=float)
    deviation = jnp.nanmean(jnp.abs(values - jnp.nanmean(values, axis=0)), axis=0)
    return _per_column("spread", given, jnp.where(deviation > 0, 4 * deviation, extent))


def scale_prior(spread: ArrayLike) -> dist.Distribution:
    """LogNormal with median sqrt(0.02) R, about R / 7: 95 % of it between R / 50 and R.

    It vanishes faster than any power of the scale at 0, so no component can collapse on one row.
    """
    return dist.LogNormal(jnp.log(jnp.sqrt(RELATIVE_VARIANCE) * jnp.asarray(spread)), 1.0)


def covariance_prior(spread: Array) -> dist.Distribution:
    """InverseWishart(d + 3, 0.04 diag(R^2)), of mean 0.02 diag(R^2); d = 1 is Richardson-Green."""
    d = spread.shape[0]
    return dist.InverseWishart(
        concentration=d + 3.0, scale_matrix=2 * RELATIVE_VARIANCE * jnp.diag(spread**2)
    )


def volume_prior(spread: Array) -> dist.Distribution:
    """LogNormal with median 0.02 R^2, R averaged geometrically: the square of `scale_prior`."""
    return dist.LogNormal(jnp.log(RELATIVE_VARIANCE) + 2 * jnp.mean(jnp.log(spread)), 2.0)


def shape_prior(spread: Array) -> dist.Distribution:
    """Zero-sum normal of the log variances along d axes, relative to their mean.

    Its standard deviation is 2, as that of the log variances by `scale_prior`, and wider where the
    columns' own log R^2 differ: sqrt(4 + Var(log R^2)).
    """
    wide = jnp.sqrt(4 + 4 * jnp.var(jnp.log(spread)))
    return dist.ZeroSumNormal(wide, event_shape=(spread.shape[0],))


def coefficient_prior(
    covariates: ArrayLike, center: ArrayLike = 0.0, spread: ArrayLike = 10.0
) -> dist.Distribution:
    """Independent Normal(0, s_j) coefficients (p,) of covariates (n, p), in the data's own units.

    ``center`` and ``spread`` are the middle m and the range R of what the linear predictor may
    be. Covariate j with midrange m_j and range R_j has s_j = R / R_j: one standard deviation is a
    line that rises by R over the whole range. A constant column is an intercept, where the lines
    meet 0: s_j^2 = (m^2 + R^2 (1 + sum_i (m_i / R_i)^2)) / m_j^2. Without one the others have to
    reach m themselves: s_j^2 = (m^2 + R^2) / R_j^2.
    """
    values = jnp.asarray(covariates, dtype=float)
    low, high = jnp.min(values, axis=0), jnp.max(values, axis=0)
    middle, constant = low + (high - low) / 2, high == low
    extent = jnp.where(constant, 1.0, high - low)
    far = jnp.where(constant, 0.0, middle / extent)
    reach = jnp.sqrt(jnp.square(center) + jnp.square(spread) * (1 + jnp.sum(far**2)))
    level = jnp.where(jnp.any(constant), 0.0, center)
    slope = jnp.sqrt(jnp.square(spread) + jnp.square(level)) / extent
    size = jnp.where(constant & (middle != 0), jnp.abs(middle), 1.0)
    return dist.Normal(0.0, jnp.where(constant, reach / size, slope)).to_event(1)


def mean_of(x: ArrayLike | None, features: tuple[int, ...], /, **given: float | None) -> Array:
    """The mean of each column of x >= 0, () or (d,); 1 without x and where that is 0.

    Or the one that is given, by the name of the model's argument for it.
    """
    ((name, mean),) = given.items()
    if mean is not None:
        return jnp.full(features, check_positive(name, mean), float)
    if x is None:
        return jnp.ones(features)
    found = jnp.nanmean(jnp.asarray(x, dtype=float), axis=0)
    return jnp.where(found > 0, found, 1.0)


def positive_prior(median: ArrayLike) -> dist.Distribution:
    """LogNormal with sigma 2: 95 % of it within a factor of 50 of the median."""
    return dist.LogNormal(jnp.log(jnp.asarray(median, dtype=float)), 2.0)


def class_coefficients_prior(
    covariates: ArrayLike, num_components: int
) -> dist.Distribution | None:
    """Logits of classes 2, ..., k against the first, (k - 1, p); None if there is one class."""
    if num_components == 1:
        return None
    return coefficient_prior(covariates).expand((num_components - 1,)).to_event(1)


def _edges(x: ArrayLike) -> tuple[Array, Array]:
    """The least and the largest of each column."""
    values = jnp.asarray(x, dtype=float)
    return jnp.nanmin(values, axis=0), jnp.nanmax(values, axis=0)


def _per_column(name: str, given: ArrayLike | None, default: Array) -> Array:
    if given is None:
        return default
    shape = shape_of(name, given)
    if shape not in ((), default.shape):
        raise ValueError(
            f"{name} must be one number or an array of shape {default.shape}, one a column of x, "
            f"but its shape is {shape}"
        )
    check_sizes(name, given, above=0.0 if name == "spread" else -np.inf)
    return jnp.broadcast_to(jnp.asarray(given, dtype=float), default.shape)
