"""Two normals in one column, which most of the cases are made of."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.ops.indexing import Vindex
from scipy import special, stats

from ..case import positive, real, simplex
from .data import X

NORMALS = {"weights": simplex(2), "loc": real(2), "scale": positive()}


def normals():
    """Weights, locations, one scale."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]).to_event(1))
    scale = numpyro.sample("scale", dist.HalfNormal(3))
    return weights, loc, scale


def mixed(weights, by_class):
    return special.logsumexp(np.log(weights) + by_class, axis=-1).sum()


def normal_mixture(p, x=X):
    return mixed(p["weights"], stats.norm.logpdf(x[:, None], p["loc"], p["scale"]))


def classes_in_a_loop(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]).to_event(1))
    z = 0
    for t in range(x.shape[0]):
        z = numpyro.sample(
            f"z{t}", dist.Categorical(weights if t == 0 else Vindex(jnp.asarray(P))[z])
        )
        numpyro.sample(f"y{t}", dist.Normal(loc[z], 1.0), obs=x[t])


P = np.array([[0.9, 0.1], [0.2, 0.8]])
