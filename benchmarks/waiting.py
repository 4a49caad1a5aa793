"""Seconds that a user waits, in fresh processes: to a first fit, a summary, other rows, a sweep.

    python benchmarks/waiting.py [--before CHECKOUT/src] [--tasks normal gaussian ...]

Each task runs twice: with nothing on disk, and with what the first process left in JAX's cache.
``--before`` names the `src` folder of another checkout, which takes turns with this one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

START = """
import time, json
import numpy as np, jax, jax.numpy as jnp, numpyro, numpyro.distributions as dist
from numpyro import handlers
from mixpyro import em, inference, models
key = jax.random.key(0)
jax.block_until_ready(key)
rng = np.random.default_rng(0)
marks = {}
def timed(name, f):
    began = time.perf_counter()
    found = f()
    marks[name] = time.perf_counter() - began
    return found
def fit(fitter, x, **kwargs):
    found = fitter.run(key, x, **kwargs)
    found.status
    return found
def usual(model, x, **kwargs):
    fitter = em.EM(model)
    found = timed("fit", lambda: fit(fitter, x, **kwargs))
    timed("summary", found.summary)
    fewer = {n: v[:-1] if isinstance(v, np.ndarray) else v for n, v in kwargs.items()}
    timed("a row fewer", lambda: fit(fitter, x[:-1], **fewer))
    return found
"""
NORMALS = """
def normals(x, k):
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(k)))
    with numpyro.plate("components", k):
        loc = numpyro.sample("loc", dist.Normal(0, 10))
        scale = numpyro.sample("scale", dist.HalfNormal(5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(w))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)
x = np.concatenate([rng.normal(size=100), rng.normal(size=100) + 4])
"""
CLOUDS = """
x = np.concatenate([rng.normal(size=(50, 4)) + shift for shift in (0, 3, -3)])
"""
IRIS = """
from sklearn.datasets import load_iris
x = load_iris().data
"""
TASKS = {
    "normal": NORMALS + "usual(normals, x, k=2)",
    "gaussian": CLOUDS + "usual(models.gaussian_mixture, x, num_components=3)",
    "poisson": """
x = rng.poisson(np.where(rng.random(300) < 0.4, 2, 9))
usual(models.poisson_mixture, x, num_components=2)
""",
    "bernoulli": """
x = (rng.random((500, 8)) < rng.random((3, 8))[rng.integers(3, size=500)]).astype(int)
usual(models.bernoulli_mixture, x, num_components=3)
""",
    "poisson_regression": """
c = np.c_[np.ones(500), rng.normal(size=(500, 2))]
x = rng.poisson(np.exp(0.5 + c[:, 1] * np.where(rng.random(500) < 0.5, 1, -1)))
usual(models.poisson_regression_mixture, x, covariates=c, num_components=2)
""",
    "kmeans": CLOUDS
    + """
timed("fit", lambda: em.kmeans(x, 3, key))
timed("a row fewer", lambda: em.kmeans(x[:-1], 3, key))
""",
    "structures": IRIS
    + """
names = "EII VII EEI VEI EVI VVI EEE VEE EVE VVE EEV VEV EVV VVV".split()
with jax.enable_x64(True):
    found = timed("sweep", lambda: em.sweep(
        models.gaussian_mixture, key, x, num_components=range(1, 10), covariance=names))
    timed("print", lambda: str(found))
""",
    "latent_classes": """
x = (rng.random((1000, 8)) < rng.random((3, 8))[rng.integers(3, size=1000)]).astype(int)
found = timed("sweep", lambda: em.sweep(
    models.latent_class, key, x, num_categories=2, num_components=range(1, 7)))
timed("print", lambda: str(found))
""",
    "cross_validation": IRIS
    + """
timed("cross-validation", lambda: em.cross_validate(
    models.gaussian_mixture, key, x, num_components=3, num_folds=10))
""",
    "bootstrap": IRIS
    + """
found = timed("fit", lambda: fit(em.EM(models.gaussian_mixture), x, num_components=3))
timed("bootstrap", lambda: em.bootstrap(found, key, num_replicates=200))
timed("again", lambda: em.bootstrap(found, jax.random.key(1), num_replicates=200))
""",
    "nuts": NORMALS
    + """
found = timed("fit", lambda: fit(em.EM(normals), x, k=2))
timed("nuts", lambda: inference.run_nuts(found, key, num_samples=500, num_chains=4))
""",
}


def run(task: str, source: Path, cache: str) -> dict[str, float]:
    """The marks of a task in a process of its own."""
    code = START + TASKS[task] + "\nprint('MARKS', json.dumps(marks))\n"
    environment = {
        **os.environ,
        "PYTHONPATH": str(source),
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("MARKS")]
    if not lines:
        raise RuntimeError(f"{task}: {done.stderr[-2000:]}")
    return json.loads(lines[-1].removeprefix("MARKS "))


def main() -> None:
    """Print a row a mark."""
    here = Path(__file__).resolve().parents[1] / "src"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="the src folder of another checkout")
    parser.add_argument("--tasks", nargs="*", choices=list(TASKS), default=list(TASKS))
    options = parser.parse_args()
    sources = [*([options.before.resolve()] if options.before else []), here]
    heads = [
        f"{when}, {disk}"
        for when in ("before", "now")[-len(sources) :]
        for disk in ("cold", "disk")
    ]
    print("| task | waiting for |", " | ".join(heads), "|")
    print("| --- | --- |" + " --- |" * len(heads))
    for task in options.tasks:
        columns = []
        for source in sources:
            with tempfile.TemporaryDirectory() as cache:
                columns += [run(task, source, cache), run(task, source, cache)]
        for mark in columns[-1]:
            cells = [f"{c[mark]:.2f}" if mark in c else "" for c in columns]
            print(f"| {task} | {mark} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
