"""A fit with a checkpoint, to be killed: in memory, or of batches.

As a script it takes lines ``KIND PATH EVERY SECONDS``, runs each in a process of its own that it
forks (so that importing is done once), kills that after so many seconds (``never``: not at all),
and prints ``killed``, or the bytes of all that the fit found.
"""

import os
import signal
import sys
import time

import jax
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


START = {
    "weights": np.array([0.5, 0.5]),
    "loc": np.array([-1.0, 2.0]),
    "scale": np.array([1.0, 1.0]),
}


def run_batches(checkpoint, every, start=START, **options):
    """Of rows in batches: a few passes of seven batches each."""
    fitter = em.EM(normals, **{**OPTIONS, "max_steps": 6, "tolerance": 0.0, **options})
    rows = em.Batches(np.tile(X, 5)[::-1], batch_size=150)
    kept = {} if checkpoint is None else {"checkpoint": checkpoint, "checkpoint_every": every}
    return fitter.run(5, rows, num_components=2, init_params=start, **kept)


def told(fit):
    params = {n: np.asarray(v).tobytes().hex() for n, v in fit.params.items()}
    return f"{fit.num_steps} {fit.status} {fit.trace.tobytes().hex()} {params}"


def forked(kind, path, every, seconds):
    """What a process of its own says."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.close(out)
        with jax.enable_x64(True):
            fit = (run_batches if kind == "batches" else run)(path, float(every))
        os.write(into, told(fit).encode())
        os._exit(0)
    os.close(into)
    until = time.monotonic() + (1000 if seconds == "never" else float(seconds))
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)  # nothing is cleaned up
            os.waitpid(child, 0)
            break
        time.sleep(0.005)
    with os.fdopen(out) as pipe:
        return pipe.read() or "killed"


if __name__ == "__main__":
    for line in sys.stdin:
        print(forked(*line.split()), flush=True)
