"""Normal distributions, with the four usual structures of their covariance matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array

from ._arguments import check_count, matrix_shape
from ._catalogue import example
from ._priors import center_and_spread, covariance_prior, scale_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float

_LOC = [[-4.0, 0.0], [4.0, 1.0], [0.0, 7.0]]
_WEIGHTS = [0.3, 0.45, 0.25]
_THREE = {"num_components": 3, "num_rows": 600, "num_features": 2}


@example(
    params={
        "weights": _WEIGHTS,
        "loc": _LOC,
        "covariance_matrix": [
            [[1.0, 0.6], [0.6, 1.0]],
            [[1.5, -0.5], [-0.5, 0.5]],
            [[0.5, 0.0], [0.0, 2.0]],
        ],
    },
    covariance="full",
    **_THREE,
)
@example(
    params={"weights": _WEIGHTS, "loc": _LOC, "covariance_matrix": [[1.0, 0.5], [0.5, 1.5]]},
    covariance="tied",
    **_THREE,
)
@example(
    params={"weights": _WEIGHTS, "loc": _LOC, "scale": [[0.5, 1.5], [1.0, 1.0], [1.5, 0.7]]},
    covariance="diagonal",
    **_THREE,
)
@example(
    params={"weights": _WEIGHTS, "loc": _LOC, "scale": [0.5, 1.0, 1.5]},
    covariance="spherical",
    **_THREE,
)
@example(
    params={
        "weights": [0.35, 0.65],
        "loc": [[-3.0], [3.0]],
        "covariance_matrix": [[[0.5]], [[1.5]]],
    },
    num_components=2,
    num_rows=400,
    num_features=1,
)
def gaussian_mixture(
    x: Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    covariance: str = "full",
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    center: float | Float[ArrayLike, " d"] | None = None,
    spread: float | Float[ArrayLike, " d"] | None = None,
) -> Any:
    r"""A mixture of multivariate normal distributions.

    ::

        p(x_n) = sum_k weights_k Normal(x_n | loc_k, Sigma_k)

    What Sigma_k may be depends on ``covariance`` (in brackets the names of Celeux and Govaert,
    1995, "Gaussian parsimonious clustering models", Pattern Recognition 28:781, and mclust):

    =========== ============================================ =====================================
    covariance  Sigma_k                                      its site
    =========== ============================================ =====================================
    "full"      covariance_matrix_k (VVV)                    ``covariance_matrix`` (k, d, d)
    "tied"      covariance_matrix (EEE)                      ``covariance_matrix`` (d, d)
    "diagonal"  diag(scale_k1^2, ..., scale_kd^2) (VVI)      ``scale`` (k, d)
    "spherical" scale_k^2 I (VII)                            ``scale`` (k,)
    =========== ============================================ =====================================

    Sites: ``weights`` (k,); ``loc`` (k, d); the one above; ``z`` (n,); ``x`` (n, d). With one
    feature d is 1 everywhere: x is (n, 1) and loc (k, 1).

    Priors (Richardson and Green, 1997, JRSS-B 59:731; see ``_priors.py``), with m and R the
    midrange and range of each column of x: weights ~ Dirichlet(c, ..., c), c =
    weights_concentration, uniform by default; loc ~ Normal(m, R); covariance_matrix ~
    InverseWishart(d + 3, 0.04 diag(R^2)), of mean 0.02 diag(R^2); scale ~ LogNormal with median
    sqrt(0.02) R and sigma 1 (spherical: R averaged over the columns). Without x, m = 0 and R = 1.
    Give center and spread where x is a part of the data only, such as a minibatch.

    Args:
        x: data, (n, d), or None to simulate.
        num_components: k.
        covariance: "full", "tied", "diagonal" or "spherical".
        num_rows: n, read only without x.
        num_features: d, needed only without x.
        weights_concentration: of the Dirichlet prior of the weights.
        center: m in the priors, one number or (d,).
        spread: R in the priors, one number or (d,), positive.

    Returns:
        x, (n, d).

    Raises:
        ValueError: num_components below 1; an unknown covariance; x of another shape, (n,)
            included; neither x nor its shape given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.gaussian_mixture, jax.random.key(0))
        >>> simulate(num_components=3, num_rows=5, num_features=2, covariance="tied").shape
        (5, 2)
    """
    k = check_count("num_components", num_components)
    if covariance not in _STRUCTURES:
        raise ValueError(
            f"covariance must be one of {', '.join(map(repr, _STRUCTURES))}, but it is "
            f"{covariance!r}"
        )
    n, d = matrix_shape(x, num_rows, num_features)
    center, spread = center_and_spread(x, d, center, spread)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    components = numpyro.plate("components", k)
    with components:
        loc = numpyro.sample("loc", dist.Normal(center, spread).to_event(1))
    normal = _STRUCTURES[covariance](loc, spread, components)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", normal(z), obs=x)


# Each structure samples its own sites and says how x is distributed given z.
Conditional = Callable[[Array], dist.Distribution]


def _full(loc: Array, spread: Array, components: Any) -> Conditional:
    with components:
        covariance_matrix = numpyro.sample("covariance_matrix", covariance_prior(spread))
    return lambda z: dist.MultivariateNormal(loc[z], covariance_matrix=covariance_matrix[z])


def _tied(loc: Array, spread: Array, _: Any) -> Conditional:
    covariance_matrix = numpyro.sample("covariance_matrix", covariance_prior(spread))
    return lambda z: dist.MultivariateNormal(loc[z], covariance_matrix=covariance_matrix)


def _diagonal(loc: Array, spread: Array, components: Any) -> Conditional:
    with components:
        scale = numpyro.sample("scale", scale_prior(spread).to_event(1))
    return lambda z: dist.Normal(loc[z], scale[z]).to_event(1)


def _spherical(loc: Array, spread: Array, components: Any) -> Conditional:
    with components:
        scale = numpyro.sample("scale", scale_prior(jnp.mean(spread)))
    return lambda z: dist.Normal(loc[z], scale[z][..., None]).to_event(1)


_STRUCTURES: dict[str, Callable[[Array, Array, Any], Conditional]] = {
    "full": _full,
    "tied": _tied,
    "diagonal": _diagonal,
    "spherical": _spherical,
}
