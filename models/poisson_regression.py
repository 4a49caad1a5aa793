"""Counts whose log rate is linear in covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array

from ._arguments import check_count
from ._catalogue import example
from ._designs import check_design, check_offset, example_design, linear_predictor
from ._gaps import observe
from ._items import columns
from ._priors import coefficient_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float, Int


@example(
    params={"weights": [0.45, 0.55], "coefficients": [[1.0, 1.0], [3.5, -0.7]]},
    num_components=2,
    covariates=example_design(500, 2),
)
@columns(coefficients=("covariates",))
def poisson_regression_mixture(
    y: Int[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    num_components: int,
    offset: float | Float[ArrayLike, " n"] = 0.0,
    weights_concentration: float = 1.0,
    mean_rate: float | None = None,
) -> Any:
    r"""A mixture of Poisson regressions with a log link.

    With covariates x_n, (p,)::

        p(y_n) = sum_k weights_k Poisson(y_n | exp(offset_n + x_n . coefficients_k))

    No intercept is added: for one, the covariates have a column of ones. The offset is the log of
    an exposure (a time, an area, a population). See Wang, Puterman, Cockburn and Le (1996), "Mixed
    Poisson regression models with covariate dependent rates", Biometrics 52:381.

    Sites: ``weights`` (k,); ``coefficients`` (k, p); ``z`` (n,); ``y`` (n,).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default; the
    coefficient of a covariate whose range is R_j ~ Normal(0, 10 / R_j), so that one standard
    deviation moves the log rate by 10 over the whole range, and that of a constant column as wide
    as these lines need to meet the log of mean_rate, by default the mean of y, or 1 without y
    (see ``_priors.py``).

    Args:
        y: counts, (n,), NaN where missing, or None to simulate.
        covariates: (n, p), as they enter the regressions: no intercept is added.
        num_components: k.
        offset: a known part of the log rate, one number or (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        mean_rate: the size of the counts in the prior of the coefficients, positive.

    Returns:
        y, (n,).

    Raises:
        ValueError: num_components below 1; y, covariates or offset of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> design = jnp.stack([jnp.ones(5), jnp.arange(5.0)], axis=1)
        >>> simulate = handlers.seed(models.poisson_regression_mixture, jax.random.key(0))
        >>> simulate(covariates=design, num_components=2).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, _ = check_design("covariates", covariates, y)
    check_offset(offset, n)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        prior = coefficient_prior(covariates, jnp.log(_mean(y, mean_rate)))
        coefficients = numpyro.sample("coefficients", prior)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        rate = jnp.exp(offset + linear_predictor(covariates, coefficients[z]))
        return observe("y", dist.Poisson(rate), y)


def _mean(y: ArrayLike | None, given: float | None) -> Array:
    if given is not None or y is None:
        return jnp.asarray(1.0 if given is None else given)
    mean = jnp.mean(jnp.asarray(y, dtype=float))
    return jnp.where(mean > 0, mean, 1.0)
