"""Binary items, independent within a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, matrix_shape
from ._catalogue import example
from ._gaps import observe
from ._items import Categories, items
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={"weights": [0.6, 0.4], "probs": [[0.95, 0.9, 0.85], [0.1, 0.05, 0.15]]},
    num_components=2,
    num_rows=500,
    num_features=3,
)
@items("x", binary=True, probs=("component", "answer"))
def bernoulli_mixture(
    x: Int[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    categories: Categories | None = None,
    weights_concentration: float = 1.0,
    probs_concentration: tuple[float, float] = (1.0, 1.0),
) -> Any:
    r"""A mixture of products of Bernoulli distributions: latent class analysis of binary items.

    ::

        p(x_n) = sum_k weights_k prod_d probs_kd^x_nd (1 - probs_kd)^(1 - x_nd)

    See Bishop (2006), *Pattern Recognition and Machine Learning*, section 9.3.3. Two classes need
    at least three items to be told apart.

    Sites: ``weights`` (k,); ``probs`` (k, d); ``z`` (n,); ``x`` (n, d).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration; each of probs ~
    Beta(*probs_concentration). All are uniform by default, with which the posterior mode is the ML
    fit.

    Args:
        x: zeros and ones, (n, d), or None to simulate. NaN, among floats, is a missing entry.
            `mixpyro.em` takes frames and arrays as they come: text, pandas categories, with gaps
            (None, NaN, NA). Of two categories probs is that of the second, in their order.
        num_components: k.
        num_rows: n, read only without x.
        num_features: d, needed only without x.
        categories: their names, ``((item, (category, category)), ...)``; a fit finds them.
        weights_concentration: of the Dirichlet prior of the weights.
        probs_concentration: of the Beta prior of probs, (for a one, for a zero).

    Returns:
        x, (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape; neither x nor its shape given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.bernoulli_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5, num_features=3).shape
        (5, 3)
    """
    k = check_count("num_components", num_components)
    n, d = matrix_shape(x, num_rows, num_features)
    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        prior = dist.Beta(*probs_concentration).expand([d]).to_event(1)
        probs = numpyro.sample("probs", prior)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return observe("x", dist.Bernoulli(probs[z]), x, 1)
