"""Counts that vary more than Poisson ones, by covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count
from ._catalogue import example
from ._designs import check_design, check_offset, example_design, linear_predictor
from ._gaps import observe
from ._items import columns
from ._priors import coefficient_prior, mean_of, positive_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float, Int


@example(
    params={
        "weights": [0.45, 0.55],
        "coefficients": [[1.0, 1.0], [4.0, -0.7]],
        "concentration": [5.0, 10.0],
    },
    num_components=2,
    covariates=example_design(500, 2),
    density_rtol=1e-6,
)
@columns(coefficients=("covariates",))
def negative_binomial_regression_mixture(
    y: Int[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    num_components: int,
    offset: float | Float[ArrayLike, " n"] = 0.0,
    weights_concentration: float = 1.0,
    mean: float | None = None,
) -> Any:
    r"""A mixture of negative binomial regressions with a log link.

    With covariates x_n, (p,)::

        p(y_n) = sum_k weights_k NegativeBinomial2(y_n | mu_nk, concentration_k)
        log mu_nk = offset_n + x_n . coefficients_k

    The variance of a count is mu + mu^2 / concentration. No intercept is added: for one, the
    covariates have a column of ones. The offset is the log of an exposure. A class that seems
    needed for a few large counts in `poisson_regression_mixture` may be no more than this
    variance. See Park and Lord (2009), "Application of finite mixture models for
    vehicle crash data analysis", Accident Analysis & Prevention 41:683.

    Sites: ``weights`` (k,); ``coefficients`` (k, p); ``concentration`` (k,); ``z`` (n,); ``y``
    (n,).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default; the
    coefficient of a covariate whose range is R_j ~ Normal(0, 10 / R_j), so that one standard
    deviation moves the log mean by 10 over the whole range, and that of a constant column as wide
    as these lines need to meet the log of mean, by default that of y, or 1 without y (see
    ``_priors.py``); each concentration is LogNormal with median 2 and sigma 2.

    Args:
        y: counts, (n,), NaN where missing, or None to simulate.
        covariates: (n, p), as they enter the regressions: no intercept is added.
        num_components: k.
        offset: a known part of the log mean, one number or (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        mean: the size of y in the prior of the coefficients, positive.

    Returns:
        y, (n,).

    Raises:
        ValueError: num_components below 1; y, covariates or offset of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> design = jnp.stack([jnp.ones(5), jnp.arange(5.0)], axis=1)
        >>> simulate = handlers.seed(models.negative_binomial_regression_mixture, jax.random.key(0))
        >>> simulate(covariates=design, num_components=2).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, _ = check_design("covariates", covariates, y)
    check_offset(offset, n)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        prior = coefficient_prior(covariates, jnp.log(mean_of(y, (), mean=mean)))
        coefficients = numpyro.sample("coefficients", prior)
        concentration = numpyro.sample("concentration", positive_prior(2.0))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        mu = jnp.exp(offset + linear_predictor(covariates, coefficients[z]))
        return observe("y", dist.NegativeBinomial2(mu, concentration[z]), y)
