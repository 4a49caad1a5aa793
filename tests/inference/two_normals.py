"""Two normals, their fit, and its runs by NUTS and Laplace: made once for the folder."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import stats

KEY = jax.random.key(0)
N = 200
_rng = np.random.default_rng(11)
X = np.where(np.arange(N) < 120, -2.0, 2.5) + _rng.normal(size=N) * np.where(
    np.arange(N) < 120, 1.0, 0.6
)


def normals(x=None, num_components=2, n=N):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0.0, 5.0))
        scale = numpyro.sample("scale", dist.HalfNormal(3.0))
    numpyro.deterministic("mean", (weights * loc).sum())
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def joint(params):
    return np.log(params["weights"]) + stats.norm.logpdf(X[:, None], params["loc"], params["scale"])
