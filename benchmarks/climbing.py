"""Ways to climb: steps that acceleration saves, and what a hundred restarts cost.

    python benchmarks/climbing.py [--repeats 5]

Steps are EM maps (one M- and one E-step each), refused proposals included. Times are of whole runs
after a first one has compiled, in float64.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

jax.config.update("jax_enable_x64", True)

from mixpyro import em, models  # noqa: E402


def normals(x: jax.Array) -> None:
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def seconds(run, repeats: int) -> float:
    """The median time of a run that has run before."""
    run()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def acceleration(repeats: int) -> None:
    """Two normals 1.5 standard deviations apart, one start, five samples."""
    head = ("sample", "accelerate", "steps", "part of EM's", "log-likelihood", "ms a run")
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for sample in range(5):
        rng = np.random.default_rng(sample)
        x = np.where(rng.random(5000) < 0.4, 1.5, 0.0) + rng.normal(size=5000)
        init = {
            "weights": np.full(2, 0.5),
            "loc": np.quantile(x, [0.2, 0.8]),
            "scale": np.full(2, x.std()),
        }
        plain = 0
        for how in (None, "squarem", "quasi-newton"):
            fitter = em.EM(normals, accelerate=how, max_steps=100_000)

            def run(fitter: em.EM = fitter, x: np.ndarray = x, init: dict = init) -> em.Fit:
                return fitter.run(jax.random.key(0), x, init_params=init)

            fit = run()
            plain = plain or fit.num_steps
            print(
                f"| {sample} | {how} | {fit.num_steps} | 1/{plain / fit.num_steps:.0f} | "
                f"{fit.log_likelihood:.6f} | {1e3 * seconds(run, repeats):.0f} |"
            )


def restarts(repeats: int) -> None:
    """A K = 3 Gaussian mixture, n = 10,000, d = 4: one start and a hundred."""
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0, 0], [3, 1, 0, 2], [0, 3, 3, -1]])
    x = centres[rng.integers(3, size=10_000)] + rng.normal(size=(10_000, 4))
    times = []
    print("\n| starts | ms a run | log-likelihood | steps |\n| --- | --- | --- | --- |")
    for number in (1, 100):
        fitter = em.EM(models.gaussian_mixture, num_restarts=number)

        def run(fitter: em.EM = fitter) -> em.Fit:
            return fitter.run(jax.random.key(1), x, num_components=3)

        fit = run()
        times.append(seconds(run, repeats))
        print(f"| {number} | {1e3 * times[-1]:.0f} | {fit.log_likelihood:.4f} | {fit.num_steps} |")
    print(f"\n100 starts take {times[1] / times[0]:.1f} times as long as one.")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    device = jax.devices()[0]
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"JAX {jax.__version__} on {device.platform}, float64\n"
    )
    acceleration(options.repeats)
    restarts(options.repeats)


if __name__ == "__main__":
    main()
