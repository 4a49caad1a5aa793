"""Proportions with a beta distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, vector_or_matrix
from ._catalogue import example
from ._items import columns
from ._priors import positive_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float


@example(
    params={"weights": [0.4, 0.6], "concentration1": [2.0, 12.0], "concentration0": [9.0, 4.0]},
    num_components=2,
    num_rows=500,
)
@example(
    params={
        "weights": [0.4, 0.6],
        "concentration1": [[2.0, 6.0], [12.0, 0.8]],
        "concentration0": [[9.0, 2.0], [4.0, 3.0]],
    },
    num_components=2,
    num_rows=500,
    num_features=2,
    again=True,
)
@columns(concentration1=("x",), concentration0=("x",))
def beta_mixture(
    x: Float[ArrayLike, " n"] | Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
) -> Any:
    r"""A mixture of beta distributions, or of products of them.

    ::

        p(x_n) = sum_k weights_k Beta(x_n | a_k, b_k)             x (n,)
        p(x_n) = sum_k weights_k prod_d Beta(x_nd | a_kd, b_kd)   x (n, d)

    Here a is concentration1 and b concentration0: the mean of a component is a / (a + b). See Ji,
    Wu, Liu, Wang and Coombes (2005), "Applications of beta-mixture models in bioinformatics",
    Bioinformatics 21:2118.

    Sites: ``weights`` (k,); ``concentration1``, ``concentration0`` (k,) for x (n,) and (k, d) for x
    (n, d); ``z`` (n,); ``x``.

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default;
    every concentration is LogNormal with median 2 and sigma 2.

    Args:
        x: numbers inside (0, 1), (n,) or (n, d), NaN where missing, or None to simulate.
        num_components: k.
        num_rows: n, read only without x.
        num_features: d, read only without x: None simulates x (n,).
        weights_concentration: of the Dirichlet prior of the weights.

    Returns:
        x, (n,) or (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.beta_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    event_rank = len(features)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        prior = positive_prior(2.0).expand(features).to_event(event_rank)
        concentration1 = numpyro.sample("concentration1", prior)
        concentration0 = numpyro.sample("concentration0", prior)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample(
            "x", dist.Beta(concentration1[z], concentration0[z]).to_event(event_rank), obs=x
        )
