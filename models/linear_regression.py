"""Normal responses whose mean is linear in covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count
from ._catalogue import example
from ._designs import check_design, check_offset, example_design, linear_predictor
from ._items import columns
from ._priors import center_and_spread, coefficient_prior, scale_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float

_COVARIATES = example_design(500, 3)


@example(
    params={
        "weights": [0.4, 0.6],
        "coefficients": [[0.0, 3.0, 0.0], [2.0, -2.0, 4.0]],
        "scale": [0.5, 1.0],
    },
    num_components=2,
    covariates=_COVARIATES,
)
@example(
    params={
        "weights": [0.4, 0.6],
        "coefficients": [[0.0, 3.0, 0.0], [2.0, -2.0, 4.0]],
        "scale": 0.5,
    },
    num_components=2,
    covariates=_COVARIATES,
    tied_scale=True,
    again=True,
)
@columns(coefficients=("covariates",))
def linear_regression_mixture(
    y: Float[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    num_components: int,
    offset: float | Float[ArrayLike, " n"] = 0.0,
    tied_scale: bool = False,
    weights_concentration: float = 1.0,
    center: float | None = None,
    spread: float | None = None,
) -> Any:
    r"""A mixture of linear regressions with normal errors.

    With covariates x_n, (p,)::

        p(y_n) = sum_k weights_k Normal(y_n | offset_n + x_n . coefficients_k, scale_k)

    No intercept is added: for one, the covariates have a column of ones. Polynomials and splines
    are columns too. See Quandt and Ramsey (1978), "Estimating mixtures of normal distributions and
    switching regressions", JASA 73:730, and DeSarbo and Cron (1988), Journal of Classification
    5:249.

    Sites: ``weights`` (k,); ``coefficients`` (k, p); ``scale`` (k,), or () if it is tied; ``z``
    (n,); ``y`` (n,).

    Priors, with m and R the midrange and range of y: weights ~ Dirichlet(c, ..., c), c =
    weights_concentration, uniform by default; the coefficient of a covariate whose range is R_j ~
    Normal(0, R / R_j), and that of a constant column as wide as lines through the data need (see
    ``_priors.py``); scale ~ LogNormal with median sqrt(0.02) R and sigma 1. Without y, m = 0 and
    R = 1. Give center and spread where y is a part of the data only, such as a minibatch.

    Args:
        y: responses, (n,), NaN where missing, or None to simulate.
        covariates: (n, p), as they enter the regressions: no intercept is added.
        num_components: k.
        offset: a known part of the mean, one number or (n,).
        tied_scale: whether all components have one scale.
        weights_concentration: of the Dirichlet prior of the weights.
        center: m in the priors.
        spread: R in the priors, positive.

    Returns:
        y, (n,).

    Raises:
        ValueError: num_components below 1; y or covariates of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> design = jnp.stack([jnp.ones(5), jnp.arange(5.0)], axis=1)
        >>> simulate = handlers.seed(models.linear_regression_mixture, jax.random.key(0))
        >>> simulate(covariates=design, num_components=2).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, _ = check_design("covariates", covariates, y)
    check_offset(offset, n)
    column = None if y is None else jnp.reshape(jnp.asarray(y) - offset, (n, 1))
    middle, extent = center_and_spread(column, 1, center, spread)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    components = numpyro.plate("components", k)
    with components:
        prior = coefficient_prior(covariates, middle[0], extent[0])
        coefficients = numpyro.sample("coefficients", prior)
    if tied_scale:
        scale = numpyro.sample("scale", scale_prior(extent[0]))
    else:
        with components:
            scale = numpyro.sample("scale", scale_prior(extent[0]))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        mean = offset + linear_predictor(covariates, coefficients[z])
        return numpyro.sample("y", dist.Normal(mean, scale if tied_scale else scale[z]), obs=y)
