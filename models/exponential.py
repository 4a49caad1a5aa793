"""Waiting times without memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, vector_or_matrix
from ._catalogue import example
from ._items import columns
from ._priors import mean_of, positive_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float


@example(
    params={"weights": [0.4, 0.6], "rate": [10.0, 0.2]},
    num_components=2,
    num_rows=500,
)
@example(
    params={"weights": [0.4, 0.6], "rate": [[5.0, 0.1], [0.2, 2.0]]},
    num_components=2,
    num_rows=500,
    num_features=2,
    again=True,
)
@columns(rate=("x",))
def exponential_mixture(
    x: Float[ArrayLike, " n"] | Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    mean: float | None = None,
) -> Any:
    r"""A mixture of exponential distributions, or of products of them.

    ::

        p(x_n) = sum_k weights_k Exponential(x_n | rate_k)            x (n,)
        p(x_n) = sum_k weights_k prod_d Exponential(x_nd | rate_kd)   x (n, d)

    The rate is one over the mean. Two exponentials whose rates differ little are hard to tell
    apart: their mixture is a smooth, falling curve (Jewell, 1982, "Mixtures of exponential
    distributions", Annals of Statistics 10:479).

    Sites: ``weights`` (k,); ``rate`` (k,) for x (n,) and (k, d) for x (n, d); ``z`` (n,); ``x``.

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default;
    each rate is LogNormal with median 1 / mean and sigma 2, the mean by default that of its column
    of x, or 1 without x.

    Args:
        x: numbers of 0 or more, (n,) or (n, d), NaN where missing, or None to simulate.
        num_components: k.
        num_rows: n, read only without x.
        num_features: d, read only without x: None simulates x (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        mean: the size of x in the prior of the rates.

    Returns:
        x, (n,) or (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.exponential_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    event_rank = len(features)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        prior = positive_prior(1 / mean_of(x, features, mean=mean)).to_event(event_rank)
        rate = numpyro.sample("rate", prior)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", dist.Exponential(rate[z]).to_event(event_rank), obs=x)
