"""Lifetimes with a Weibull distribution."""

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
    params={"weights": [0.4, 0.6], "scale": [1.0, 10.0], "concentration": [1.5, 4.0]},
    num_components=2,
    num_rows=500,
)
@example(
    params={
        "weights": [0.4, 0.6],
        "scale": [[1.0, 5.0], [8.0, 1.0]],
        "concentration": [[2.0, 3.0], [4.0, 1.0]],
    },
    num_components=2,
    num_rows=500,
    num_features=2,
    again=True,
)
@columns(scale=("x",), concentration=("x",))
def weibull_mixture(
    x: Float[ArrayLike, " n"] | Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    mean: float | None = None,
) -> Any:
    r"""A mixture of Weibull distributions, or of products of them.

    ::

        p(x_n) = sum_k weights_k Weibull(x_n | scale_k, concentration_k)             x (n,)
        p(x_n) = sum_k weights_k prod_d Weibull(x_nd | scale_kd, concentration_kd)   x (n, d)

    With s the scale and c the concentration, the survival function is exp(-(x / s)^c): a hazard
    that falls for c < 1, as of early failures, is constant at 1 and rises beyond, as of wear. See
    Jiang and Murthy (1995), "Modeling failure-data by mixture of two Weibull distributions", IEEE
    Transactions on Reliability 44:477.

    Sites: ``weights`` (k,); ``scale``, ``concentration`` (k,) for x (n,) and (k, d) for x (n, d);
    ``z`` (n,); ``x``.

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default;
    each scale is LogNormal with sigma 2 and the mean for a median, by default that of its column of
    x, or 1 without x; each concentration is LogNormal with median 1.5 and sigma 2.

    Args:
        x: positive numbers, (n,) or (n, d), NaN where missing, or None to simulate.
        num_components: k.
        num_rows: n, read only without x.
        num_features: d, read only without x: None simulates x (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        mean: the size of x in the prior of the scales.

    Returns:
        x, (n,) or (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.weibull_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    event_rank = len(features)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        size = positive_prior(mean_of(x, features, mean=mean)).to_event(event_rank)
        scale = numpyro.sample("scale", size)
        shapes = positive_prior(1.5).expand(features).to_event(event_rank)
        concentration = numpyro.sample("concentration", shapes)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample(
            "x", dist.Weibull(scale[z], concentration[z]).to_event(event_rank), obs=x
        )
