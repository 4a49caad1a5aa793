"""Counts without an upper bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, vector_or_matrix
from ._catalogue import example
from ._gaps import observe
from ._items import columns
from ._priors import mean_of, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={"weights": [0.3, 0.4, 0.3], "rate": [1.0, 10.0, 30.0]},
    num_components=3,
    num_rows=500,
)
@example(
    params={"weights": [0.6, 0.4], "rate": [[2.0, 20.0], [15.0, 4.0]]},
    num_components=2,
    num_rows=300,
    num_features=2,
)
@columns(rate=("x",))
def poisson_mixture(
    x: Int[ArrayLike, " n"] | Int[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    mean_rate: float | None = None,
) -> Any:
    r"""A mixture of Poisson distributions, or of products of them.

    ::

        p(x_n) = sum_k weights_k Poisson(x_n | rate_k)              x (n,)
        p(x_n) = sum_k weights_k prod_d Poisson(x_nd | rate_kd)     x (n, d)

    See McLachlan and Peel (2000), *Finite Mixture Models*, chapter 5.

    Sites: ``weights`` (k,); ``rate`` (k,) for x (n,) and (k, d) for x (n, d); ``z`` (n,); ``x``.

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default; each rate
    is Exponential with mean mean_rate, by default the mean of its column of x, or 1 without x.

    Args:
        x: counts, (n,) or (n, d), or None to simulate. NaN, among floats, is a missing entry.
        num_components: k.
        num_rows: n, read only without x.
        num_features: d, read only without x: None simulates x (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        mean_rate: mean of the prior of the rates.

    Returns:
        x, (n,) or (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.poisson_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    event_rank = len(features)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        prior = dist.Exponential(1 / mean_of(x, features, mean_rate=mean_rate)).to_event(event_rank)
        rate = numpyro.sample("rate", prior)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return observe("x", dist.Poisson(rate[z]), x, event_rank)
