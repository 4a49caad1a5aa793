"""A regression whose coefficients switch along time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan

from ._arguments import check_count
from ._catalogue import example
from ._designs import check_design, check_offset, example_design
from ._items import columns
from ._priors import center_and_spread, coefficient_prior, scale_prior
from ._states import states

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float


@example(
    params={
        "initial": [0.5, 0.5],
        "transition": [[0.9, 0.1], [0.2, 0.8]],
        "coefficients": [[0.0, 2.0], [3.0, -1.0]],
        "scale": [0.5, 1.0],
    },
    chain=True,
    one_unit=True,
    num_components=2,
    covariates=example_design(300, 2),
)
@columns(coefficients=("covariates",))
def switching_regression(
    y: Float[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    num_components: int,
    offset: float | Float[ArrayLike, " n"] = 0.0,
    tied_scale: bool = False,
    stationary: bool = False,
    concentration: float = 1.0,
) -> Any:
    r"""A linear regression whose coefficients follow a chain of states.

    With covariates x_t, (p,), and rows in the order of time::

        p(y_1, ..., y_n) = sum_z p(z_1) p(y_1 | z_1) prod_t p(z_t | z_{t-1}) p(y_t | z_t)
        p(z_1 = k) = initial_k,   p(z_t = j | z_{t-1} = i) = transition_ij
        p(y_t | z_t = k) = Normal(y_t | offset_t + x_t . coefficients_k, scale_k)

    No intercept is added: for one, the covariates have a column of ones. With y before among them
    it is an autoregression that switches; its fit.sample() then draws y given the y before that
    was observed, one step ahead. See Goldfeld and Quandt (1973), "A Markov model for switching
    regressions", Journal of Econometrics 1:3, and Hamilton (1994), *Time Series Analysis*,
    chapter 22.

    Sites: ``initial`` (k,), unless the chain is stationary; ``transition`` (k, k), whose rows sum
    to 1; ``coefficients`` (k, p); ``scale`` (k,), or () if it is tied; ``z`` (n,), within a scan;
    ``y`` (n,).

    Priors: initial and the rows of transition ~ Dirichlet(c, ..., c), c = concentration, uniform by
    default; coefficients and scale as in ``linear_regression_mixture``.

    Args:
        y: responses in the order of time, (n,), NaN where missing, or None to simulate.
        covariates: (n, p), as they enter the regressions: no intercept is added.
        num_components: k, the number of states.
        offset: a known part of the mean, one number or (n,).
        tied_scale: whether all states have one scale.
        stationary: whether the first state has the stationary distribution of the transitions, as
            Stata and statsmodels have it, and no parameter of its own. The M-step is then numeric.
        concentration: of the Dirichlet priors.

    Returns:
        y, (n,).

    Raises:
        ValueError: num_components below 1; y or covariates of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> design = jnp.stack([jnp.ones(5), jnp.arange(5.0)], axis=1)
        >>> simulate = handlers.seed(models.switching_regression, jax.random.key(0))
        >>> simulate(covariates=design, num_components=2).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, _ = check_design("covariates", covariates, y)
    check_offset(offset, n)
    column = None if y is None else jnp.reshape(jnp.asarray(y) - offset, (n, 1))
    middle, extent = center_and_spread(column, 1, None, None)

    initial, transition = states(k, concentration, stationary)
    with numpyro.plate("components", k):
        prior = coefficient_prior(covariates, middle[0], extent[0])
        coefficients = numpyro.sample("coefficients", prior)
        if not tied_scale:
            scale = numpyro.sample("scale", scale_prior(extent[0]))
    if tied_scale:
        scale = numpyro.sample("scale", scale_prior(extent[0]))

    def step(carry: tuple[Any, Any], given: tuple[Any, Any, Any]) -> tuple[tuple[Any, Any], Any]:
        (z, time), (y, x, known) = carry, given
        z = numpyro.sample("z", dist.Categorical(jnp.where(time == 0, initial, transition[z])))
        law = dist.Normal(
            known + jnp.sum(x * coefficients[z], -1), scale if tied_scale else scale[z]
        )
        return (z, time + 1), numpyro.sample("y", law, obs=y)

    known = jnp.broadcast_to(jnp.asarray(offset, float), (n,))
    rows = None if y is None else jnp.asarray(y)
    return scan(step, (0, 0), (rows, jnp.asarray(covariates), known), length=n)[1]
