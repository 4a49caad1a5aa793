"""Directions and times of day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
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
    params={"weights": [0.4, 0.6], "loc": [-1.5, 1.0], "concentration": [8.0, 4.0]},
    num_components=2,
    num_rows=500,
)
@example(
    params={
        "weights": [0.4, 0.6],
        "loc": [[-1.5, 0.5], [1.0, 2.5]],
        "concentration": [[8.0, 2.0], [4.0, 6.0]],
    },
    num_components=2,
    num_rows=500,
    num_features=2,
    again=True,
)
@columns(loc=("x",), concentration=("x",))
def von_mises_mixture(
    x: Float[ArrayLike, " n"] | Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
) -> Any:
    r"""A mixture of von Mises distributions, or of products of them.

    ::

        p(x_n) = sum_k weights_k VonMises(x_n | loc_k, concentration_k)             x (n,)
        p(x_n) = sum_k weights_k prod_d VonMises(x_nd | loc_kd, concentration_kd)   x (n, d)

    Angles in radians: directions, or times of the day or of the year as a part of 2 pi. Far from a
    uniform circle, 1 / sqrt(concentration) is the standard deviation. See Mardia and Jupp (2000),
    *Directional Statistics*, section 5.5.

    Sites: ``weights`` (k,); ``loc``, ``concentration`` (k,) for x (n,) and (k, d) for x (n, d);
    ``z`` (n,); ``x``.

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default;
    each loc is uniform on the circle, each concentration LogNormal with median 2 and sigma 2.

    Args:
        x: angles, from -pi to pi, (n,) or (n, d), NaN where missing, or None to simulate.
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
        >>> simulate = handlers.seed(models.von_mises_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    event_rank = len(features)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        circle = dist.Uniform(-jnp.pi, jnp.pi).expand(features).to_event(event_rank)
        loc = numpyro.sample("loc", circle)
        prior = positive_prior(2.0).expand(features).to_event(event_rank)
        concentration = numpyro.sample("concentration", prior)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample(
            "x", dist.VonMises(loc[z], concentration[z]).to_event(event_rank), obs=x
        )
