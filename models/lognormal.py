"""Positive numbers whose logarithms are normal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, vector_or_matrix
from ._catalogue import example
from ._items import columns
from ._priors import center_and_spread, scale_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float


@example(
    params={"weights": [0.4, 0.6], "loc": [0.0, 3.0], "scale": [0.5, 0.8]},
    num_components=2,
    num_rows=500,
)
@example(
    params={
        "weights": [0.4, 0.6],
        "loc": [[0.0, 2.0], [3.0, 0.0]],
        "scale": [[0.5, 1.0], [0.8, 0.4]],
    },
    num_components=2,
    num_rows=500,
    num_features=2,
    again=True,
)
@columns(loc=("x",), scale=("x",))
def lognormal_mixture(
    x: Float[ArrayLike, " n"] | Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    center: float | Float[ArrayLike, " d"] | None = None,
    spread: float | Float[ArrayLike, " d"] | None = None,
) -> Any:
    r"""A mixture of log-normal distributions, or of products of them.

    ::

        p(x_n) = sum_k weights_k LogNormal(x_n | loc_k, scale_k)             x (n,)
        p(x_n) = sum_k weights_k prod_d LogNormal(x_nd | loc_kd, scale_kd)   x (n, d)

    ``loc`` and ``scale`` are those of log x: a normal mixture of the logarithms, whose log
    likelihood is smaller by the sum of log x. The median of a component is exp(loc). See McLachlan
    and Peel (2000), *Finite Mixture Models*, chapter 5.

    Sites: ``weights`` (k,); ``loc``, ``scale`` (k,) for x (n,) and (k, d) for x (n, d); ``z`` (n,);
    ``x``.

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default;
    with m and R the midrange and range of each column of log x, loc ~ Normal(m, R) and scale ~
    LogNormal with median sqrt(0.02) R and sigma 1. Without x, m = 0 and R = 1.

    Args:
        x: positive numbers, (n,) or (n, d), NaN where missing, or None to simulate.
        num_components: k.
        num_rows: n, read only without x.
        num_features: d, read only without x: None simulates x (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        center: m in the priors, one number or (d,).
        spread: R in the priors, one number or (d,), positive.

    Returns:
        x, (n,) or (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.lognormal_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    event_rank = len(features)

    logs = None if x is None else jnp.reshape(jnp.log(jnp.asarray(x, dtype=float)), (n, -1))
    middle, extent = center_and_spread(logs, features[0] if features else 1, center, spread)
    middle, extent = jnp.reshape(middle, features), jnp.reshape(extent, features)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        loc = numpyro.sample("loc", dist.Normal(middle, extent).to_event(event_rank))
        scale = numpyro.sample("scale", scale_prior(extent).to_event(event_rank))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", dist.LogNormal(loc[z], scale[z]).to_event(event_rank), obs=x)
