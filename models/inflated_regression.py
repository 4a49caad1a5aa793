"""Counts with many zeros, by covariates: one part says whether, the other how many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._catalogue import example
from ._designs import check_design, check_offset, example_design, linear_predictor
from ._gaps import observe
from ._items import columns
from ._priors import coefficient_prior, mean_of, positive_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float, Int

# The log mean of a count that is zero for certain. Minus infinity has no derivative.
ALWAYS_ZERO = -70.0
_TRUTH = {"inflation_coefficients": [-0.5, 1.0], "coefficients": [2.0, 0.5]}


@example(params=_TRUTH, covariates=example_design(500, 2))
@example(
    params=_TRUTH | {"concentration": 4.0},  # Sphinx cannot parse stars in a dictionary here
    covariates=example_design(500, 2),
    overdispersed=True,
    density_rtol=1e-6,
)
@columns(coefficients=("covariates",), inflation_coefficients=("inflation_covariates|covariates",))
def zero_inflated_regression(
    y: Int[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    inflation_covariates: Float[ArrayLike, "n q"] | None = None,
    overdispersed: bool = False,
    offset: float | Float[ArrayLike, " n"] = 0.0,
    mean: float | None = None,
) -> Any:
    r"""A Poisson or negative binomial regression, and rows that are always zero.

    With covariates x_n, (p,), and inflation covariates v_n, (q,), the same unless given::

        p(y_n) = gate_n [y_n = 0] + (1 - gate_n) Poisson(y_n | mu_n)
        logit gate_n = v_n . inflation_coefficients
        log mu_n = offset_n + x_n . coefficients

    and NegativeBinomial2(y_n | mu_n, concentration) in place of the Poisson if ``overdispersed``.
    z_n = 1 marks a structural zero. No intercept is added: for one, both covariates have a column
    of ones. See Lambert (1992), "Zero-inflated Poisson regression, with an application to defects
    in manufacturing", Technometrics 34:1; it is zeroinfl of pscl (Zeileis, Kleiber and Jackman,
    2008, Journal of Statistical Software 27:8).

    Sites: ``inflation_coefficients`` (q,); ``coefficients`` (p,); if overdispersed
    ``concentration``, a scalar; ``z`` (n,), 0 or 1; ``y`` (n,).

    Priors: the coefficient of a covariate whose range is R_j ~ Normal(0, 10 / R_j), so that one
    standard deviation moves the log mean or the logit by 10 over the whole range, and that of a
    constant column as wide as these lines need to meet the log of mean, by default that of y, or
    1 without y, and for the logit 0 (see ``_priors.py``); concentration is LogNormal with median 2
    and sigma 2.

    Args:
        y: counts, (n,), NaN where missing, or None to simulate.
        covariates: (n, p), as they enter the log mean: no intercept is added.
        inflation_covariates: (n, q), as they enter the logit; by default the covariates. A column
            of ones alone is one gate for all rows.
        overdispersed: whether the counts are negative binomial.
        offset: a known part of the log mean, one number or (n,).
        mean: the size of y in the prior of the coefficients, positive.

    Returns:
        y, (n,).

    Raises:
        ValueError: y, covariates or offset of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> design = jnp.stack([jnp.ones(5), jnp.arange(5.0)], axis=1)
        >>> simulate = handlers.seed(models.zero_inflated_regression, jax.random.key(0))
        >>> simulate(covariates=design).shape
        (5,)
    """
    n, _ = check_design("covariates", covariates, y)
    inflation = covariates if inflation_covariates is None else inflation_covariates
    check_design("inflation_covariates", inflation, y)
    check_offset(offset, n)

    logits = numpyro.sample("inflation_coefficients", coefficient_prior(inflation))
    prior = coefficient_prior(covariates, jnp.log(mean_of(y, (), mean=mean)))
    coefficients = numpyro.sample("coefficients", prior)
    if overdispersed:
        concentration = numpyro.sample("concentration", positive_prior(2.0))
    with numpyro.plate("rows", n):
        gate = linear_predictor(inflation, logits)
        z = numpyro.sample("z", dist.Bernoulli(logits=gate))
        log_mean = offset + linear_predictor(covariates, coefficients)
        log_mean = jnp.where(z == 1, ALWAYS_ZERO, log_mean)
        if overdispersed:  # by its logit: NegativeBinomial2 has no second derivative in float32
            logits = log_mean - jnp.log(concentration)
            counts = dist.NegativeBinomial(concentration, logits=logits)
        else:
            counts = dist.Poisson(jnp.exp(log_mean))
        return observe("y", counts, y)
