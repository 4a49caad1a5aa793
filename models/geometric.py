"""Failures before a success."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, vector_or_matrix
from ._catalogue import example
from ._gaps import observe
from ._items import columns
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={"weights": [0.4, 0.6], "probs": [0.8, 0.05]},
    num_components=2,
    num_rows=500,
)
@example(
    params={"weights": [0.4, 0.6], "probs": [[0.8, 0.05], [0.1, 0.5]]},
    num_components=2,
    num_rows=500,
    num_features=2,
    again=True,
)
@columns(probs=("x",))
def geometric_mixture(
    x: Int[ArrayLike, " n"] | Int[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    probs_concentration: tuple[float, float] = (1.0, 1.0),
) -> Any:
    r"""A mixture of geometric distributions, or of products of them.

    ::

        p(x_n) = sum_k weights_k probs_k (1 - probs_k)^x_n             x (n,)
        p(x_n) = sum_k weights_k prod_d probs_kd (1 - probs_kd)^x_nd   x (n, d)

    x counts the failures before the first success, from 0; where trials are counted, from 1, give x
    - 1. The mean of a component is (1 - probs) / probs. Cycles to conception, in couples who
    differ, are an example (Weinberg and Gladen, 1986, Biometrics 42:547).

    Sites: ``weights`` (k,); ``probs`` (k,) for x (n,) and (k, d) for x (n, d); ``z`` (n,); ``x``.

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default;
    each probs ~ Beta(*probs_concentration), uniform by default.

    Args:
        x: counts, (n,) or (n, d), NaN where missing, or None to simulate.
        num_components: k.
        num_rows: n, read only without x.
        num_features: d, read only without x: None simulates x (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        probs_concentration: of the Beta prior of probs, (success, failure).

    Returns:
        x, (n,) or (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.geometric_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    event_rank = len(features)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        prior = dist.Beta(*probs_concentration).expand(features).to_event(event_rank)
        probs = numpyro.sample("probs", prior)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return observe("x", dist.Geometric(probs[z]), x, event_rank)
