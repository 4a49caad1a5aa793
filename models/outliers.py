"""A regression line, and rows that stray from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._catalogue import example
from ._designs import check_design, check_offset, example_design, linear_predictor
from ._items import columns
from ._priors import center_and_spread, coefficient_prior, scale_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float


@example(
    params={
        "contamination": 0.15,
        "coefficients": [1.0, 3.0, -2.0],
        "scale": 0.5,
        "excess": 19.0,
    },
    covariates=example_design(500, 3),
)
@columns(coefficients=("covariates",))
def robust_regression(
    y: Float[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    offset: float | Float[ArrayLike, " n"] = 0.0,
    contamination_concentration: tuple[float, float] = (1.0, 1.0),
    center: float | None = None,
    spread: float | None = None,
) -> Any:
    r"""A linear regression some of whose rows are outliers, with a wide error.

    With covariates x_n, (p,), mu_n = offset_n + x_n . coefficients, and c = contamination::

        p(y_n) = (1 - c) Normal(y_n | mu_n, scale) + c Normal(y_n | mu_n, (1 + excess) scale)

    z_n = 1 marks an outlier, and its responsibility says how surely it is one. Outliers lie about
    the same line, further away; rows about a line of their own are another component of
    `linear_regression_mixture`. Rows at extreme covariates keep their leverage. See Aitkin and
    Wilson (1980), "Mixture models, outliers, and the EM algorithm", Technometrics 22:325.

    Sites: ``contamination``, a scalar; ``coefficients`` (p,); ``scale`` and ``excess``, scalars;
    ``z`` (n,), 0 or 1; ``y`` (n,).

    Priors, with m and R the midrange and range of y: contamination ~
    Beta(*contamination_concentration), uniform by default; the coefficient of a covariate whose
    range is R_j ~ Normal(0, R / R_j), and that of a constant column as wide as lines through the
    data need (see ``_priors.py``); scale ~ LogNormal with median sqrt(0.02) R and sigma 1; excess
    ~ LogNormal with median 4 and sigma 1. Without y, m = 0 and R = 1.

    Args:
        y: responses, (n,), NaN where missing, or None to simulate.
        covariates: (n, p), as they enter the regression: no intercept is added.
        offset: a known part of the mean, one number or (n,).
        contamination_concentration: of the Beta prior of the contamination, (outliers, others).
        center: m in the priors.
        spread: R in the priors, positive.

    Returns:
        y, (n,).

    Raises:
        ValueError: y, covariates or offset of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> design = jnp.stack([jnp.ones(5), jnp.arange(5.0)], axis=1)
        >>> simulate = handlers.seed(models.robust_regression, jax.random.key(0))
        >>> simulate(covariates=design).shape
        (5,)
    """
    n, _ = check_design("covariates", covariates, y)
    check_offset(offset, n)
    column = None if y is None else jnp.reshape(jnp.asarray(y) - offset, (n, 1))
    middle, extent = center_and_spread(column, 1, center, spread)

    contamination = numpyro.sample("contamination", dist.Beta(*contamination_concentration))
    prior = coefficient_prior(covariates, middle[0], extent[0])
    coefficients = numpyro.sample("coefficients", prior)
    scale = numpyro.sample("scale", scale_prior(extent[0]))
    excess = numpyro.sample("excess", dist.LogNormal(jnp.log(4.0), 1.0))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Bernoulli(contamination))
        mean = offset + linear_predictor(covariates, coefficients)
        error = scale * jnp.where(z == 1, 1 + excess, 1.0)
        return numpyro.sample("y", dist.Normal(mean, error), obs=y)
