"""Sixty rows of two normals, their model, and a fit of it."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from scipy import stats

KEY = jax.random.key(0)
N = 60
_rng = np.random.default_rng(23)
X = np.where(np.arange(N) < 38, 0.0, 3.0) + _rng.normal(size=N)


def normals(x, num_components=2, *, weights=None):
    shares = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    scaled = handlers.scale(scale=1.0 if weights is None else weights)
    with numpyro.plate("rows", x.shape[0]), scaled:
        z = numpyro.sample("z", dist.Categorical(shares))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


INIT = {"weights": np.array([0.6, 0.4]), "loc": np.array([0.0, 3.0]), "scale": np.ones(2)}


def joint(x, params):
    weights, loc, scale = (np.asarray(params[n], float) for n in ("weights", "loc", "scale"))
    return np.log(weights) + stats.norm.logpdf(np.asarray(x)[:, None], loc, scale)
