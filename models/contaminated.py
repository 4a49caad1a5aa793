"""Normal distributions beside uniform noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array

from ..distributions import or_uniform
from ._arguments import check_count, matrix_shape
from ._catalogue import example
from ._items import columns
from ._priors import box_of, even_spread, weights_prior
from .gaussian import structure

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float

_BOX = {"low": -12.0, "high": 12.0}
_LOC = [[-4.0, 0.0], [4.0, 2.0]]
_TWO: dict[str, Any] = {"num_components": 2, "num_rows": 600, "num_features": 2, **_BOX}


@example(
    params={
        "weights": [0.35, 0.5, 0.15],
        "loc": _LOC,
        "covariance_matrix": [[[1.0, 0.6], [0.6, 1.0]], [[1.5, -0.5], [-0.5, 0.5]]],
    },
    **_TWO,
)
@example(
    params={"weights": [0.35, 0.5, 0.15], "loc": _LOC, "scale": [[0.5, 1.5], [1.0, 0.7]]},
    covariance="diagonal",
    again=True,
    **_TWO,
)
@example(
    params={
        "weights": [0.35, 0.5, 0.15],
        "loc": _LOC,
        "volume": [0.6, 1.2],
        "log_shape": [1.0, -1.0],
    },
    covariance="VEI",
    again=True,
    **_TWO,
)
@columns(loc=("x",), covariance_matrix=("x", "x"), scale=("component", "x"))
def contaminated_mixture(
    x: Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    covariance: str = "full",
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    low: float | Float[ArrayLike, " d"] | None = None,
    high: float | Float[ArrayLike, " d"] | None = None,
    spread: float | Float[ArrayLike, " d"] | None = None,
) -> Any:
    r"""Multivariate normal distributions, and a background: noise, spread evenly over a box.

    ::

        p(x_n) = sum_{j<k} weights_j Normal(x_n | loc_j, Sigma_j) + weights_k / volume   in the box

    Rows that belong to no cluster are taken up by the background, where they would otherwise widen
    a component or make one of their own (Banfield and Raftery, 1993, "Model-based Gaussian and
    non-Gaussian clustering", Biometrics 49:803). The box is the smallest with sides along the axes
    that holds x; its volume is mclust's hypvol, one over its Vinv.

    Beside a background the likelihood is unbounded whatever ``covariance`` is: it takes all rows
    but one, on which a normal collapses. EM names such a climb and passes it over.

    Sites: ``weights`` (k + 1,), the last one of the background; ``loc`` (k, d); those of
    ``covariance`` as in `gaussian_mixture`; ``z`` (n,), k for the background; ``x`` (n, d).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default; loc ~
    Normal with the middle and the size of the box; the others as in `gaussian_mixture`, but with R
    four mean absolute deviations of each column: outliers stretch its range. Evenly spread data
    have that range. Without x, R is the size of the box.

    Args:
        x: data, (n, d), or None to simulate.
        num_components: k, the number of normal components.
        covariance: one of `gaussian_mixture`'s structures.
        num_rows: n, read only without x.
        num_features: d, needed only without x.
        weights_concentration: of the Dirichlet prior of the weights.
        low: lower edges of the box, one number or (d,); by default the least of each column of x,
            and -1 without x. Give the edges where x is a part of the data only, such as a
            minibatch, and for new rows, which have no density of the background outside.
        high: upper edges, above the lower; by default the largest of each column, and 1 without x.
        spread: R in the priors, one number or (d,), positive.

    Returns:
        x, (n, d).

    Raises:
        ValueError: as `gaussian_mixture`; edges of another shape.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.contaminated_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5, num_features=2, low=-3.0, high=3.0).shape
        (5, 2)
    """
    k = check_count("num_components", num_components)
    make = structure(covariance)
    n, d = matrix_shape(x, num_rows, num_features)
    low, high = box_of(x, d, low, high)
    extent = high - low
    size = even_spread(x, spread, extent)

    weights = numpyro.sample("weights", weights_prior(k + 1, weights_concentration))
    components = numpyro.plate("components", k)
    with components:
        loc = numpyro.sample("loc", dist.Normal(low + extent / 2, extent).to_event(1))
    normal = make(loc, size, components)

    def scattered(z: Array) -> dist.Distribution:
        # The background has no normal of its own: any will do.
        return or_uniform(normal(jnp.minimum(z, k - 1)), z == k, low, high)

    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", scattered(z), obs=x)
