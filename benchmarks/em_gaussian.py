"""Time per EM step of a full-covariance Gaussian mixture, side by side with scikit-learn.

Both start from the same parameters and take the same steps, in float64 on all cores, in turn
within one process. The time per step is the difference between a long and a short run over the
difference of their steps, so that compiling, reading and starting cancel; ratios are taken pair
by pair, since machines are noisy.

    python benchmarks/em_gaussian.py [--pairs 5] [--rows 100000]
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
import warnings

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.mixture import GaussianMixture  # noqa: E402

from mixpyro import em, models  # noqa: E402

SIZES = ((2, 4), (10, 10), (32, 16))
SHORT, LONG = 2, 12


def simulate(n: int, d: int, k: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Overlapping clusters, and a start away from the optimum."""
    rng = np.random.default_rng(d * 100 + k)
    centres = rng.normal(size=(k, d)) * 2.0
    x = centres[rng.integers(k, size=n)] + rng.normal(size=(n, d))
    start = {
        "weights": np.full(k, 1 / k),
        "loc": x[rng.choice(n, k, replace=False)],
        "covariance_matrix": np.broadcast_to(np.cov(x.T).reshape(d, d), (k, d, d)).copy(),
    }
    return x, start


def ours(x: np.ndarray, start: dict, steps: int) -> tuple[float, float]:
    """Seconds and final log-likelihood of ``steps`` steps."""
    fitter = em.EM(models.gaussian_mixture, max_steps=steps, tolerance=0.0)
    begin = time.perf_counter()
    fit = fitter.run(jax.random.key(0), x, num_components=len(start["loc"]), init_params=start)
    return time.perf_counter() - begin, fit.log_likelihood


def sklearn(x: np.ndarray, start: dict, steps: int) -> tuple[float, float]:
    """The same by scikit-learn."""
    k = len(start["loc"])
    mixture = GaussianMixture(
        k,
        reg_covar=0.0,
        tol=0.0,
        max_iter=steps,
        weights_init=start["weights"],
        means_init=start["loc"],
        precisions_init=np.linalg.inv(start["covariance_matrix"]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        begin = time.perf_counter()
        mixture.fit(x)
        seconds = time.perf_counter() - begin
    return seconds, mixture.score(x) * len(x)


def per_step(run, x: np.ndarray, start: dict) -> float:
    """Seconds a step, starting costs cancelled."""
    short, long = run(x, start, SHORT)[0], run(x, start, LONG)[0]
    return (long - short) / (LONG - SHORT)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    device = jax.devices()[0]
    print(
        f"{datetime.date.today()}  {platform.machine()}, {os.cpu_count()} cores, "
        f"JAX {jax.__version__} on {device.platform}, n = {options.rows:,}, float64"
    )
    heads = ("mixpyro ms", "sklearn ms", "ratio median")
    print(f"{'d':>4}{'k':>4}" + "".join(f"{h:>14}" for h in heads) + f"{'min':>7}{'max':>7}")
    for d, k in SIZES:
        x, start = simulate(options.rows, d, k)
        for steps in (SHORT, LONG):  # warm-up: compile, and check that both climb alike
            a, b = ours(x, start, steps)[1], sklearn(x, start, steps)[1]
        if abs(a - b) > 1e-6 * abs(b):
            raise SystemExit(f"log-likelihoods differ: {a} and {b}")
        times = np.array(
            [(per_step(ours, x, start), per_step(sklearn, x, start)) for _ in range(options.pairs)]
        )
        ratio = times[:, 1] / times[:, 0]
        mine, theirs = np.median(times, 0) * 1e3
        print(
            f"{d:>4}{k:>4}{mine:>14.2f}{theirs:>14.2f}{np.median(ratio):>14.1f}"
            f"{ratio.min():>7.1f}{ratio.max():>7.1f}"
        )


if __name__ == "__main__":
    main()
