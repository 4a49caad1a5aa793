"""Two normals in one column, which most of the cases are made of."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import special, stats

from ..case import positive, real, simplex
from .data import X


def shares(k=2):
    return numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))


def normals(k=2):
    """Weights, locations, one scale."""
    weights = shares(k)
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([k]).to_event(1))
    scale = numpyro.sample("scale", dist.HalfNormal(3))
    return weights, loc, scale


NORMALS = {"weights": simplex(2), "loc": real(2), "scale": positive()}


def mixed(weights, by_class):
    """The sum over rows of the log of a mixture; ``by_class`` (n, k) log densities."""
    return special.logsumexp(np.log(weights) + by_class, axis=1).sum()


def normal_mixture(p, x=X):
    return mixed(p["weights"], stats.norm.logpdf(x[:, None], p["loc"], p["scale"]))


def normals_of_scale_one():
    weights = shares()
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]).to_event(1))
    return weights, loc, 1.0


LOCATIONS = {"weights": simplex(2), "loc": real(2)}
