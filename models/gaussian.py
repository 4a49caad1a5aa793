"""Normal distributions, with the fourteen structures of their covariance matrices."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import Array

from ..distributions import EigenNormal, HaarRotation
from ._arguments import check_count, matrix_shape
from ._catalogue import example
from ._items import columns
from ._priors import (
    center_and_spread,
    covariance_prior,
    scale_prior,
    shape_prior,
    volume_prior,
    weights_prior,
)

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float

_LOC = [[-4.0, 0.0], [4.0, 1.0], [0.0, 7.0]]
_WEIGHTS = [0.3, 0.45, 0.25]
_THREE: dict[str, Any] = {"num_components": 3, "num_rows": 600, "num_features": 2}
_ANGLES = np.deg2rad([30.0, -40.0, 60.0])
_PARTS = {
    "volume": np.array([0.6, 1.2, 0.9]),
    "log_shape": np.array([[1.0, -1.0], [0.6, -0.6], [1.3, -1.3]]),
    "orientation": np.stack(
        [[np.cos(_ANGLES), -np.sin(_ANGLES)], [np.sin(_ANGLES), np.cos(_ANGLES)]]
    ).transpose(2, 0, 1),
}


def _truth(covariance: str) -> dict[str, Any]:
    """Parameters of three components in two dimensions, by an mclust name."""
    params: dict[str, Any] = {"weights": _WEIGHTS, "loc": _LOC}
    for letter, (name, values) in zip(covariance, _PARTS.items(), strict=True):
        if letter != "I":
            params[name] = values if letter == "V" else values[0]
    return params


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
@example(params=_truth("EVE"), covariance="EVE", **_THREE)
@example(params=_truth("EII"), covariance="EII", again=True, **_THREE)
@example(params=_truth("EEI"), covariance="EEI", again=True, **_THREE)
@example(params=_truth("VEI"), covariance="VEI", again=True, **_THREE)
@example(params=_truth("EVI"), covariance="EVI", again=True, **_THREE)
@example(params=_truth("VEE"), covariance="VEE", again=True, **_THREE)
@example(params=_truth("VVE"), covariance="VVE", again=True, **_THREE)
@example(params=_truth("EEV"), covariance="EEV", again=True, **_THREE)
@example(params=_truth("VEV"), covariance="VEV", again=True, **_THREE)
@example(params=_truth("EVV"), covariance="EVV", again=True, **_THREE)
@columns(loc=("x",), covariance_matrix=("x", "x"), scale=("component", "x"))
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

    What Sigma_k may be depends on ``covariance``. Celeux and Govaert (1995, "Gaussian parsimonious
    clustering models", Pattern Recognition 28:781) write it as ``volume_k D_k diag(shape_k) D_k'``,
    with shapes of determinant 1 and rotations D, the orientations. A name of mclust (Scrucca et
    al., 2016, The R Journal 8:289) has a letter for each of volume, shape and orientation: E, equal
    in all components; V, varying; I, the identity.

    =================== ========================== ==============================================
    covariance          Sigma_k                    its sites
    =================== ========================== ==============================================
    "full", "VVV"       covariance_matrix_k        ``covariance_matrix`` (k, d, d)
    "tied", "EEE"       covariance_matrix          ``covariance_matrix`` (d, d)
    "diagonal", "VVI"   diag(scale_k1^2, ...)      ``scale`` (k, d)
    "spherical", "VII"  scale_k^2 I                ``scale`` (k,)
    "EII"               volume I                   ``volume`` ()
    "EEI"               volume diag(shape)         ``volume`` (), ``log_shape`` (d,)
    "VEI"               volume_k diag(shape)       ``volume`` (k,), ``log_shape`` (d,)
    "EVI"               volume diag(shape_k)       ``volume`` (), ``log_shape`` (k, d)
    "VEE"               volume_k D diag(shape) D'  ... and ``orientation`` (d, d)
    "EVE", "VVE"        likewise, by their letters ... and ``orientation`` (d, d)
    "EEV", "VEV", "EVV" likewise, by their letters ... and ``orientation`` (k, d, d)
    =================== ========================== ==============================================

    ``log_shape`` is the log of the shape, whose entries have sum 0; the columns of ``orientation``
    are axes. Axes may be renumbered and turned around without any effect on the density: EM gives
    shapes in decreasing order and axes near those of the features. EII, VII, EEV, VEV, EVE and VVE
    depend on the units of the columns, which should be comparable; the others do not.

    Sites: ``weights`` (k,); ``loc`` (k, d); the ones above; ``z`` (n,); ``x`` (n, d). With one
    feature d is 1 everywhere: x is (n, 1) and loc (k, 1), and there is no shape or orientation.

    Priors (Richardson and Green, 1997, JRSS-B 59:731; see ``_priors.py``), with m and R the
    midrange and range of each column of x: weights ~ Dirichlet(c, ..., c), c =
    weights_concentration, uniform by default; loc ~ Normal(m, R); covariance_matrix ~
    InverseWishart(d + 3, 0.04 diag(R^2)), of mean 0.02 diag(R^2); scale ~ LogNormal with median
    sqrt(0.02) R and sigma 1 (spherical: R averaged over the columns); volume ~ LogNormal with
    median 0.02 R^2 (R averaged geometrically) and sigma 2; log_shape ~ ZeroSumNormal with standard
    deviation sqrt(4 + Var(log R^2)) over the columns; orientation ~ uniform (Haar). Without x,
    m = 0 and R = 1. Give center and spread where x is a part of the data only, such as a minibatch.

    Args:
        x: data, (n, d), or None to simulate.
        num_components: k.
        covariance: "full", "tied", "diagonal", "spherical", or one of mclust's fourteen names.
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
    make = structure(covariance)
    n, d = matrix_shape(x, num_rows, num_features)
    center, spread = center_and_spread(x, d, center, spread)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    components = numpyro.plate("components", k)
    with components:
        loc = numpyro.sample("loc", dist.Normal(center, spread).to_event(1))
    normal = make(loc, spread, components)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", normal(z), obs=x)


# Each structure samples its own sites and says how x is distributed given z.
Conditional = Callable[[Array], dist.Distribution]
Structure = Callable[[Array, Array, Any], Conditional]


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


def _eigen(covariance: str, loc: Array, spread: Array, components: Any) -> Conditional:
    d = loc.shape[-1]
    letters = covariance if d > 1 else covariance[0] + "II"

    def part(
        letter: str, name: str, prior: dist.Distribution, identity: Any = None
    ) -> Callable[[Array], Any]:
        if letter == "I":
            return lambda z: identity
        if letter == "E":
            shared = numpyro.sample(name, prior)
            return lambda z: shared
        with components:
            own = numpyro.sample(name, prior)
        return lambda z: own[z]

    volume = part(letters[0], "volume", volume_prior(spread))
    log_shape = part(letters[1], "log_shape", shape_prior(spread), jnp.zeros(d))
    orientation = part(letters[2], "orientation", HaarRotation(d), jnp.eye(d))
    return lambda z: EigenNormal(loc[z], volume(z), log_shape(z), orientation(z))


_NAMES = ("EII", "EEI", "VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV")
_STRUCTURES: dict[str, Structure] = {
    "full": _full,
    "tied": _tied,
    "diagonal": _diagonal,
    "spherical": _spherical,
    "VVV": _full,
    "EEE": _tied,
    "VVI": _diagonal,
    "VII": _spherical,
    **{name: partial(_eigen, name) for name in _NAMES},
}
STRUCTURES = tuple(_STRUCTURES)


def structure(covariance: str) -> Structure:
    """What samples the sites of a structure, by its name; scikit-learn's ``"diag"`` is one too."""
    covariance = "diagonal" if covariance == "diag" else covariance
    if covariance not in _STRUCTURES:
        raise ValueError(
            f"covariance must be one of {', '.join(map(repr, _STRUCTURES))}, but it is "
            f"{covariance!r}"
        )
    return _STRUCTURES[covariance]
