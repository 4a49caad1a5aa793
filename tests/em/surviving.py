"""A fit with a checkpoint, to be killed: prints the bytes of all that it found."""

import sys

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from mixpyro import em

_rng = np.random.default_rng(2)
X = np.concatenate([_rng.normal(size=120), _rng.normal(size=80) + 1.5])


def normals(x, num_components):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


OPTIONS = {"num_restarts": 3, "tolerance": 1e-9, "max_steps": 3000}


def run(checkpoint, every, **options):
    fitter = em.EM(normals, **{**OPTIONS, **options})
    kept = {} if checkpoint is None else {"checkpoint": checkpoint, "checkpoint_every": every}
    return fitter.run(5, X, num_components=2, **kept)


def told(fit):
    params = {n: np.asarray(v).tobytes().hex() for n, v in fit.params.items()}
    return f"{fit.num_steps} {fit.status} {fit.trace.tobytes().hex()} {params}"


if __name__ == "__main__":
    print("begun", flush=True)
    print(told(run(sys.argv[1], float(sys.argv[2]))), flush=True)
