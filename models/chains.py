"""Chains of hidden states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan

from ._arguments import check_count, matrix_shape, vector_rows
from ._catalogue import example
from ._gaps import observe
from ._items import Categories, Vector, columns, count_of, labels
from ._priors import center_and_spread, covariance_prior, scale_prior, weights_prior
from ._states import states

if TYPE_CHECKING:
    from jax import Array
    from jax.typing import ArrayLike
    from jaxtyping import Num


def _vectors(arguments: Mapping[str, Any]) -> list[Vector]:
    if arguments.get("emission") != "categorical":
        return []
    return [Vector("x", "x", given=arguments.get("num_categories"))]


@example(
    params={
        "initial": [0.5, 0.5],
        "transition": [[0.9, 0.1], [0.15, 0.85]],
        "rate": [3.0, 15.0],
    },
    chain=True,
    one_unit=True,
    num_components=2,
    num_rows=300,
)
@example(
    params={
        "initial": [0.5, 0.5],
        "transition": [[0.9, 0.1], [0.2, 0.8]],
        "loc": [-2.0, 3.0],
        "scale": [1.0, 0.5],
    },
    chain=True,
    one_unit=True,
    emission="normal",
    num_components=2,
    num_rows=200,
)
@labels(_vectors, lambda _: {"probs": ("component", "x")})
@columns(loc=("x",), covariance_matrix=("x", "x"))
def hidden_markov(
    x: Num[ArrayLike, " n"] | Num[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    emission: str = "poisson",
    num_rows: int | None = None,
    num_features: int | None = None,
    num_categories: int | None = None,
    categories: Categories | None = None,
    stationary: bool = False,
    concentration: float = 1.0,
) -> Any:
    r"""A hidden Markov model: observations whose classes follow one another.

    ::

        p(x_1, ..., x_n) = sum_z p(z_1) p(x_1 | z_1) prod_t p(z_t | z_{t-1}) p(x_t | z_t)
        p(z_1 = k) = initial_k,   p(z_t = j | z_{t-1} = i) = transition_ij

    with x_t given its state z_t Poisson(rate), Normal(loc, scale), Categorical(probs), or
    MultivariateNormal(loc, covariance_matrix). See Zucchini and MacDonald (2009), *Hidden Markov
    Models for Time Series*, chapter 2.

    Sites: ``initial`` (k,), unless the chain is stationary; ``transition`` (k, k), whose rows sum
    to 1; ``rate`` (k,), or ``loc`` and ``scale`` (k,), or ``probs`` (k, m), or ``loc`` (k, d) and
    ``covariance_matrix`` (k, d, d); ``z`` (n,), within a scan; ``x``.

    Priors: initial and the rows of transition ~ Dirichlet(c, ..., c), c = concentration, uniform by
    default, as are probs; rate is Exponential with the mean of x (1 without); loc ~ Normal(m, R),
    scale and covariance_matrix as in ``gaussian_mixture``, m being the midrange and R the range of
    x.

    Args:
        x: the observations in the order of time, (n,), or (n, d) if multivariate normal; None to
            simulate. NaN is a missing observation. `mixpyro.em` takes categories as they come:
            text, pandas categories, with gaps.
        num_components: k, the number of states.
        emission: "poisson", "normal", "categorical" or "multivariate normal".
        num_rows: n, read only without x.
        num_features: d of a multivariate normal, needed only without x.
        num_categories: m, of a categorical emission; a fit finds it in the data.
        categories: the names of its categories; a fit finds them.
        stationary: whether the first state has the stationary distribution of the transitions, and
            no parameter of its own. The M-step of the transitions is then numeric.
        concentration: of the Dirichlet priors.

    Returns:
        x, (n,) or (n, d).

    Raises:
        ValueError: num_components below 1; an unknown emission; x of another shape; neither x nor
            its shape given; no num_categories.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.hidden_markov, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    if emission not in _EMISSIONS:
        raise ValueError(
            f"emission must be one of {', '.join(map(repr, _EMISSIONS))}, but it is {emission!r}"
        )
    if emission == "multivariate normal":
        n, d = matrix_shape(x, num_rows, num_features)
    else:
        n, d = vector_rows(x, num_rows), 1
    size = d
    if emission == "categorical":
        size = count_of("num_categories", num_categories, "x", categories)

    initial, transition = states(k, concentration, stationary)
    with numpyro.plate("components", k):
        given = _EMISSIONS[emission](x, size)

    def step(carry: tuple[Any, Any], x: Any) -> tuple[tuple[Any, Any], Any]:
        z, time = carry
        probs = jnp.where(time == 0, initial, transition[z])
        z = numpyro.sample("z", dist.Categorical(probs))
        return (z, time + 1), observe("x", given(z), x)

    return scan(step, (0, 0), None if x is None else jnp.asarray(x), length=n)[1]


# Each samples its own sites and says how an observation is distributed given its state.
Emission = Callable[["ArrayLike | None", int], Callable[["Array"], dist.Distribution]]


def _poisson(x: ArrayLike | None, _: int) -> Callable[[Array], dist.Distribution]:
    mean = jnp.ones(()) if x is None else jnp.mean(jnp.asarray(x, dtype=float))
    rate = numpyro.sample("rate", dist.Exponential(1 / jnp.where(mean > 0, mean, 1.0)))
    return lambda z: dist.Poisson(rate[z])


def _normal(x: ArrayLike | None, _: int) -> Callable[[Array], dist.Distribution]:
    column = None if x is None else jnp.asarray(x)[:, None]
    center, spread = center_and_spread(column, 1, None, None)
    loc = numpyro.sample("loc", dist.Normal(center[0], spread[0]))
    scale = numpyro.sample("scale", scale_prior(spread[0]))
    return lambda z: dist.Normal(loc[z], scale[z])


def _categorical(_: ArrayLike | None, m: int) -> Callable[[Array], dist.Distribution]:
    probs = numpyro.sample("probs", weights_prior(m, 1.0))
    return lambda z: dist.Categorical(probs[z])


def _multivariate_normal(x: ArrayLike | None, d: int) -> Callable[[Array], dist.Distribution]:
    center, spread = center_and_spread(x, d, None, None)
    loc = numpyro.sample("loc", dist.Normal(center, spread).to_event(1))
    covariance_matrix = numpyro.sample("covariance_matrix", covariance_prior(spread))
    return lambda z: dist.MultivariateNormal(loc[z], covariance_matrix=covariance_matrix[z])


_EMISSIONS: dict[str, Emission] = {
    "poisson": _poisson,
    "normal": _normal,
    "categorical": _categorical,
    "multivariate normal": _multivariate_normal,
}
