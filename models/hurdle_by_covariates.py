"""Counts by covariates, whose zeros are decided before anything is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ..distributions import HurdlePoisson
from ._arguments import check_count
from ._catalogue import example
from ._designs import check_design, check_offset, example_design, linear_predictor
from ._gaps import observe
from ._items import columns
from ._priors import coefficient_prior, mean_of, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float, Int


@example(
    params={
        "weights": [0.4, 0.6],
        "gate_coefficients": [-1.0, 0.8],
        "coefficients": [[0.5, 0.4], [2.5, -0.3]],
    },
    num_components=2,
    covariates=example_design(500, 2),
)
@columns(coefficients=("covariates",), gate_coefficients=("gate_covariates|covariates",))
def hurdle_regression(
    y: Int[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    num_components: int = 1,
    gate_covariates: Float[ArrayLike, "n q"] | None = None,
    offset: float | Float[ArrayLike, " n"] = 0.0,
    weights_concentration: float = 1.0,
    mean: float | None = None,
) -> Any:
    r"""A mixture of Poisson regressions behind a hurdle: one part says whether, another how many.

    With T(y | r) = Poisson(y | r) / (1 - e^-r), the Poisson count that is not zero, covariates x_n,
    (p,), and gate covariates v_n, (q,), the same unless given::

        p(y_n) = gate_n                                      y_n = 0
        p(y_n) = (1 - gate_n) sum_k weights_k T(y_n | mu_nk)  y_n > 0
        logit gate_n = v_n . gate_coefficients
        log mu_nk = offset_n + x_n . coefficients_k

    A zero says nothing of its class, so that all classes share the gate. With one component the two
    parts are a logistic and a truncated Poisson regression, hurdle of pscl (Zeileis, Kleiber and
    Jackman, 2008, Journal of Statistical Software 27:8). No intercept is added: for one, both
    covariates have a column of ones. See Mullahy (1986), "Specification and testing of some
    modified count data models", Journal of Econometrics 33:341.

    Sites: ``weights`` (k,); ``gate_coefficients`` (q,); ``coefficients`` (k, p); ``z`` (n,); ``y``
    (n,).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default; the
    coefficient of a covariate whose range is R_j ~ Normal(0, 10 / R_j), so that one standard
    deviation moves the log mean or the logit by 10 over the whole range, and that of a constant
    column as wide as these lines need to meet the log of mean, by default that of y, or 1 without
    y, and for the logit 0 (see ``_priors.py``).

    Args:
        y: counts, (n,), NaN where missing, or None to simulate.
        covariates: (n, p), as they enter the log mean: no intercept is added.
        num_components: k; with one this is the plain hurdle regression.
        gate_covariates: (n, q), as they enter the logit of a zero; by default the covariates.
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
        >>> simulate = handlers.seed(models.hurdle_regression, jax.random.key(0))
        >>> simulate(covariates=design).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, _ = check_design("covariates", covariates, y)
    of_gate = covariates if gate_covariates is None else gate_covariates
    check_design("gate_covariates", of_gate, y)
    check_offset(offset, n)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    closed = numpyro.sample("gate_coefficients", coefficient_prior(of_gate))
    with numpyro.plate("components", k):
        prior = coefficient_prior(covariates, jnp.log(mean_of(y, (), mean=mean)))
        coefficients = numpyro.sample("coefficients", prior)
    gate = jax.nn.sigmoid(linear_predictor(of_gate, closed))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        rate = jnp.exp(offset + linear_predictor(covariates, coefficients[z]))
        return observe("y", HurdlePoisson(gate, rate), y)
