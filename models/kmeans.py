"""The mixture whose hard EM is k-means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, matrix_shape, shape_of
from ._catalogue import example
from ._items import columns
from ._priors import center_and_spread

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float


@example(
    params={"loc": [[-4.0, 0.0], [4.0, 1.0], [0.0, 7.0]]},
    num_components=3,
    num_rows=450,
    num_features=2,
)
@columns(loc=("x",))
def kmeans_mixture(
    x: Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    scale: float = 1.0,
    num_rows: int | None = None,
    num_features: int | None = None,
    center: float | Float[ArrayLike, " d"] | None = None,
    spread: float | Float[ArrayLike, " d"] | None = None,
) -> Any:
    r"""Normal distributions of equal weight and of one spherical scale, both known.

    ::

        p(x_n) = sum_k 1/k Normal(x_n | loc_k, scale^2 I)

    Hard EM on it is k-means, whatever the scale: each row goes to the nearest loc, each loc to the
    mean of its rows (Celeux and Govaert, 1992, "A classification EM algorithm for clustering and
    two stochastic versions", Computational Statistics & Data Analysis 14:315). Soft EM depends on
    the scale, and comes close to k-means as the scale goes to 0.

    Sites: ``loc`` (k, d); ``z`` (n,); ``x`` (n, d). There is no ``weights``.

    Priors (Richardson and Green, 1997, JRSS-B 59:731): loc ~ Normal(m, R), with m and R the
    midrange and range of each column of x, or 0 and 1 without x.

    Args:
        x: data, (n, d), or None to simulate.
        num_components: k.
        scale: the standard deviation of every feature in every component.
        num_rows: n, read only without x.
        num_features: d, needed only without x.
        center: m in the prior, one number or (d,).
        spread: R in the prior, one number or (d,), positive.

    Returns:
        x, (n, d).

    Raises:
        ValueError: num_components below 1; scale not a positive number; x of another shape, (n,)
            included; neither x nor its shape given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.kmeans_mixture, jax.random.key(0))
        >>> simulate(num_components=3, num_rows=5, num_features=2, scale=0.1).shape
        (5, 2)
    """
    k = check_count("num_components", num_components)
    if shape_of("scale", scale) != ():
        raise ValueError(f"scale must be one number, but its shape is {shape_of('scale', scale)}")
    if isinstance(scale, int | float) and not scale > 0:
        raise ValueError(f"scale must be positive, but it is {scale}")
    n, d = matrix_shape(x, num_rows, num_features)
    center, spread = center_and_spread(x, d, center, spread)

    with numpyro.plate("components", k):
        loc = numpyro.sample("loc", dist.Normal(center, spread).to_event(1))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(jnp.full(k, 1 / k)))
        return numpyro.sample("x", dist.Normal(loc[z], scale).to_event(1), obs=x)
