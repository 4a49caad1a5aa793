"""Positive numbers with a gamma distribution."""

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
    params={"weights": [0.4, 0.6], "concentration": [4.0, 20.0], "rate": [4.0, 2.0]},
    num_components=2,
    num_rows=500,
)
@example(
    params={
        "weights": [0.4, 0.6],
        "concentration": [[4.0, 9.0], [20.0, 6.0]],
        "rate": [[4.0, 1.0], [2.0, 3.0]],
    },
    num_components=2,
    num_rows=500,
    num_features=2,
    again=True,
)
@columns(concentration=("x",), rate=("x",))
def gamma_mixture(
    x: Float[ArrayLike, " n"] | Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    mean: float | None = None,
) -> Any:
    r"""A mixture of gamma distributions, or of products of them.

    ::

        p(x_n) = sum_k weights_k Gamma(x_n | concentration_k, rate_k)             x (n,)
        p(x_n) = sum_k weights_k prod_d Gamma(x_nd | concentration_kd, rate_kd)   x (n, d)

    The mean of a component is concentration / rate, its variance that over rate. See Wiper, Rios
    Insua and Ruggeri (2001), "Mixtures of gamma distributions with applications", Journal of
    Computational and Graphical Statistics 10:440.

    Sites: ``weights`` (k,); ``concentration``, ``rate`` (k,) for x (n,) and (k, d) for x (n, d);
    ``z`` (n,); ``x``.

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default;
    each concentration is LogNormal with median 2, each rate LogNormal with median 2 / mean, both
    with sigma 2, the mean by default that of its column of x, or 1 without x.

    Args:
        x: positive numbers, (n,) or (n, d), NaN where missing, or None to simulate.
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
        >>> simulate = handlers.seed(models.gamma_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    event_rank = len(features)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        size = mean_of(x, features, mean=mean)
        shapes = positive_prior(2.0).expand(features).to_event(event_rank)
        concentration = numpyro.sample("concentration", shapes)
        rate = numpyro.sample("rate", positive_prior(2 / size).to_event(event_rank))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample(
            "x", dist.Gamma(concentration[z], rate[z]).to_event(event_rank), obs=x
        )
