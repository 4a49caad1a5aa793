"""Lifetimes, some of them cut off by the end of the study, and people who are cured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ..distributions import CensoredWeibull
from ._arguments import check_count, check_per_row, vector_rows
from ._catalogue import example
from ._designs import check_design, example_design, linear_predictor
from ._items import columns
from ._priors import coefficient_prior, mean_of, positive_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float

# The scale of a life without end; as a number, since infinity has no derivative.
NEVER = 1e30


@example(
    params={"weights": [0.4, 0.6], "scale": [1.0, 10.0], "concentration": [1.5, 4.0]},
    num_components=2,
    limit=12.0,
    num_rows=500,
)
def survival_mixture(
    x: Float[ArrayLike, " n"] | None = None,
    *,
    num_components: int,
    limit: float | Float[ArrayLike, " n"],
    num_rows: int | None = None,
    weights_concentration: float = 1.0,
    mean: float | None = None,
) -> Any:
    r"""A mixture of Weibull lifetimes, right censored.

    With f and S the density and the survival function of Weibull(scale_k, concentration_k)::

        p(x_n) = sum_k weights_k f_k(x_n)        x_n < limit_n
        p(x_n) = sum_k weights_k S_k(limit_n)    x_n = limit_n

    Row n was followed until limit_n, and x_n is the time of its event or that limit. Where times
    and an indicator of events are given, ``limit = numpy.where(event, numpy.inf, x)``. Why
    following ended must say nothing of what was to come. See Farewell (1982), "The use of mixture
    models for the analysis of survival data with long-term survivors", Biometrics 38:1041, and
    McLachlan and McGiffin (1994), "On the role of finite mixture models in survival analysis",
    Statistical Methods in Medical Research 3:211.

    Sites: ``weights`` (k,); ``scale`` and ``concentration`` (k,); ``z`` (n,); ``x`` (n,).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default; each
    scale is LogNormal with sigma 2 and ``mean`` for a median, by default the mean of x, or 1
    without x; each concentration is LogNormal with median 1.5 and sigma 2.

    Args:
        x: times, positive, (n,), or None to simulate.
        num_components: k.
        limit: until when rows were followed, one number or (n,), infinite where there is no limit.
        num_rows: n, read only without x.
        weights_concentration: of the Dirichlet prior of the weights.
        mean: the size of x in the prior of the scales.

    Returns:
        x, (n,).

    Raises:
        ValueError: num_components below 1; x or limit of another shape; neither x nor num_rows
            given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.survival_mixture, jax.random.key(0))
        >>> simulate(num_components=2, limit=2.0, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n = vector_rows(x, num_rows)
    check_per_row("limit", limit, n)
    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        scale = numpyro.sample("scale", positive_prior(mean_of(x, (), mean=mean)))
        concentration = numpyro.sample("concentration", positive_prior(1.5))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", CensoredWeibull(scale[z], concentration[z], limit), obs=x)


@example(
    params={"cure_coefficients": [-0.5, 0.8], "scale": 3.0, "concentration": 1.5},
    covariates=example_design(500, 2),
    limit=12.0,
)
@columns(cure_coefficients=("covariates",))
def cure_model(
    y: Float[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    limit: float | Float[ArrayLike, " n"],
    mean: float | None = None,
) -> Any:
    r"""Right censored Weibull lifetimes of people some of whom are cured.

    With covariates x_n, (p,), and f and S the density and the survival function of Weibull(scale,
    concentration)::

        p(y_n) = (1 - c_n) f(y_n)              y_n < limit_n
        p(y_n) = c_n + (1 - c_n) S(limit_n)    y_n = limit_n
        logit c_n = x_n . cure_coefficients

    z_n = 1 marks the cured, to whom the event never comes. A row with an event was not cured; of
    the others nobody knows. Times must be followed until survival has levelled off well before
    the limit: else cure and a long life are not told apart. No intercept is added: for one, the
    covariates have a column of ones, and a column of ones alone is one share of cured. See Farewell
    (1982), "The use of mixture models for the analysis of survival data with long-term survivors",
    Biometrics 38:1041.

    Sites: ``cure_coefficients`` (p,); ``scale`` and ``concentration``, scalars; ``z`` (n,), 0 or
    1; ``y`` (n,).

    Priors: the coefficient of a covariate whose range is R_j ~ Normal(0, 10 / R_j), and that of a
    constant column as wide as these lines need to meet 0 (see ``_priors.py``); scale is LogNormal
    with sigma 2 and ``mean`` for a median, by default the mean of y, or 1 without y; concentration
    is LogNormal with median 1.5 and sigma 2.

    Args:
        y: times, positive, (n,), or None to simulate.
        covariates: (n, p), as they enter the cure: no intercept is added.
        limit: until when rows were followed, as in `survival_mixture`.
        mean: the size of y in the prior of the scale.

    Returns:
        y, (n,).

    Raises:
        ValueError: y, covariates or limit of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.cure_model, jax.random.key(0))
        >>> simulate(covariates=jnp.ones((5, 1)), limit=2.0).shape
        (5,)
    """
    n, _ = check_design("covariates", covariates, y)
    check_per_row("limit", limit, n)
    cured = numpyro.sample("cure_coefficients", coefficient_prior(covariates))
    scale = numpyro.sample("scale", positive_prior(mean_of(y, (), mean=mean)))
    concentration = numpyro.sample("concentration", positive_prior(1.5))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Bernoulli(logits=linear_predictor(covariates, cured)))
        life = jnp.where(z == 1, NEVER, scale)
        return numpyro.sample("y", CensoredWeibull(life, concentration, limit), obs=y)
