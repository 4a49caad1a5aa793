"""Binary responses, or counts of successes, whose logit is linear in covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, check_per_row
from ._catalogue import example
from ._designs import check_design, check_offset, example_design, linear_predictor
from ._gaps import observe
from ._items import Categories, Vector, columns, labels
from ._priors import coefficient_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float, Int


@example(
    params={"weights": [0.4, 0.6], "coefficients": [[-1.5, 0.7], [2.0, -0.4]]},
    num_components=2,
    covariates=example_design(500, 2),
    total_count=20,
    again=True,
)
@columns(coefficients=("covariates",))
@labels(lambda _: [Vector("y", "y", ordered=True, given=2)])
def logistic_regression_mixture(
    y: Int[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    num_components: int,
    total_count: int | Int[ArrayLike, " n"] = 1,
    offset: float | Float[ArrayLike, " n"] = 0.0,
    categories: Categories | None = None,
    weights_concentration: float = 1.0,
) -> Any:
    r"""A mixture of logistic regressions.

    With covariates x_n, (p,), and a binary y unless total_count says otherwise::

        p(y_n) = sum_k weights_k Binomial(y_n | total_count_n, probs_nk)
        logit probs_nk = offset_n + x_n . coefficients_k

    No intercept is added: for one, the covariates have a column of ones. One binary response a row
    says little of its class: k components need enough distinct values of the covariates, or of
    total_count, to be identified at all (Follmann and Lambert, 1991, "Identifiability of finite
    mixtures of logistic regression models", JSPI 27:375), and many rows to be told apart.

    Sites: ``weights`` (k,); ``coefficients`` (k, p); ``z`` (n,); ``y`` (n,).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default; the
    coefficient of a covariate whose range is R_j ~ Normal(0, 10 / R_j), so that one standard
    deviation moves the logit by 10 over the whole range, and that of a constant column as wide as
    these lines need to meet 0 (see ``_priors.py``). They are proper where the maximum of the
    likelihood is at infinity because covariates separate the responses.

    Args:
        y: 0 or 1, or numbers of successes, (n,), NaN where missing, or None to simulate.
            `mixpyro.em` takes booleans and ordered pandas categories (failure before success).
        covariates: (n, p), as they enter the regressions: no intercept is added.
        num_components: k.
        total_count: trials, one number for all rows or (n,); 1 is a binary response.
        offset: a known part of the logit, one number or (n,).
        categories: the names of failure and success, ``(("y", (...)),)``; a fit finds them.
        weights_concentration: of the Dirichlet prior of the weights.

    Returns:
        y, (n,).

    Raises:
        ValueError: num_components below 1; y, covariates, total_count or offset of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> design = jnp.stack([jnp.ones(5), jnp.arange(5.0)], axis=1)
        >>> simulate = handlers.seed(models.logistic_regression_mixture, jax.random.key(0))
        >>> simulate(covariates=design, num_components=2).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, _ = check_design("covariates", covariates, y)
    check_per_row("total_count", total_count, n)
    check_offset(offset, n)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        coefficients = numpyro.sample("coefficients", coefficient_prior(covariates))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        logits = offset + linear_predictor(covariates, coefficients[z])
        return observe("y", dist.Binomial(total_count, logits=logits), y)
