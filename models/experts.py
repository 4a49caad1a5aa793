"""Linear regressions among which covariates choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count
from ._catalogue import example
from ._designs import check_design, class_logits, example_design, linear_predictor
from ._items import columns
from ._priors import center_and_spread, class_coefficients_prior, coefficient_prior, scale_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float


@example(
    params={
        "class_coefficients": [[0.5, 1.5]],
        "coefficients": [[0.0, 1.0], [4.0, -1.0]],
        "scale": [0.5, 0.8],
    },
    num_components=2,
    covariates=example_design(500, 2),
)
@columns(coefficients=("covariates",), class_coefficients=("class_covariates|covariates",))
def mixture_of_experts(
    y: Float[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    num_components: int,
    class_covariates: Float[ArrayLike, "n q"] | None = None,
    center: float | None = None,
    spread: float | None = None,
) -> Any:
    r"""A mixture of linear-normal experts with a softmax gate.

    With covariates x_n, (p,), and class covariates v_n, (q,), the same unless given::

        p(y_n) = sum_k p(z_n = k) Normal(y_n | x_n . coefficients_k, scale_k)
        p(z_n = k) = exp(v_n . b_k) / sum_l exp(v_n . b_l),    b_1 = 0

    Logits are identified up to a constant only, so that the first expert is the reference and the
    ``class_coefficients`` are b_2, ..., b_k: differences from it. No intercept is added: for one,
    the covariates have a column of ones. See Jacobs, Jordan, Nowlan and Hinton (1991), "Adaptive
    mixtures of local experts", Neural Computation 3:79. With class covariates of their own this is
    a regression mixture with concomitant variables.

    Sites: ``class_coefficients`` (k - 1, q), absent for k = 1; ``coefficients`` (k, p); ``scale``
    (k,); ``z`` (n,); ``y`` (n,).

    Priors, with m and R the midrange and range of y: the coefficient of a covariate whose range is
    R_j ~ Normal(0, R / R_j), that of a constant column as wide as lines through the data need (see
    ``_priors.py``); scale ~ LogNormal with median sqrt(0.02) R and sigma 1; class_coefficients
    likewise with 10 for R and 0 for m. Without y, m = 0 and R = 1.

    Args:
        y: responses, (n,), NaN where missing, or None to simulate.
        covariates: (n, p), as they enter the regressions: no intercept is added.
        num_components: k.
        class_covariates: (n, q) covariates of the gate; by default the covariates.
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
        >>> simulate = handlers.seed(models.mixture_of_experts, jax.random.key(0))
        >>> simulate(covariates=design, num_components=2).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, _ = check_design("covariates", covariates, y)
    gate = covariates if class_covariates is None else class_covariates
    check_design("class_covariates", gate, y)
    column = None if y is None else jnp.reshape(jnp.asarray(y), (n, 1))
    middle, extent = center_and_spread(column, 1, center, spread)

    prior = class_coefficients_prior(gate, k)
    weights = None if prior is None else numpyro.sample("class_coefficients", prior)
    with numpyro.plate("components", k):
        lines = coefficient_prior(covariates, middle[0], extent[0])
        coefficients = numpyro.sample("coefficients", lines)
        scale = numpyro.sample("scale", scale_prior(extent[0]))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(logits=class_logits(gate, weights)))
        mean = linear_predictor(covariates, coefficients[z])
        return numpyro.sample("y", dist.Normal(mean, scale[z]), obs=y)
