"""Time per EM step of a mixture of linear regressions, side by side with em-fit.

Both start from the same parameters and take the same steps, in float64 on all cores, in turn
within one process. The time per step is the difference between a long and a short run over the
difference of their steps, so that compiling, reading and starting cancel; ratios are taken pair
by pair, since machines are noisy. em-fit's loop is called without its restarts.

    pip install em-fit && python benchmarks/linear_regression.py [--pairs 5] [--rows 100000]
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

from mixpyro import models  # noqa: E402
from mixpyro.em import EM as OurEM  # noqa: E402

K, P = 4, 10
OURS, THEIRS = (2, 22), (2, 7)


def simulate(n: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Covariates with a column of ones, responses, and a start away from the optimum."""
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, P))])
    lines = rng.normal(size=(K, P + 1))
    y = (x * lines[rng.integers(K, size=n)]).sum(1) + rng.normal(size=n)
    start = {
        "weights": np.full(K, 1 / K),
        "coefficients": lines + 0.5 * rng.normal(size=lines.shape),
        "scale": np.full(K, 2.0),
    }
    return x, y, start


def ours(x: np.ndarray, y: np.ndarray, start: dict, steps: int) -> tuple[float, float]:
    """Seconds and final log-likelihood of ``steps`` steps."""
    fitter = OurEM(models.linear_regression_mixture, max_steps=steps, tolerance=0.0)
    begin = time.perf_counter()
    fit = fitter.run(jax.random.key(0), y, covariates=x, num_components=K, init_params=start)
    return time.perf_counter() - begin, fit.log_likelihood


def theirs(x: np.ndarray, y: np.ndarray, start: dict, steps: int) -> tuple[float, float]:
    """The same by em-fit, whose likelihood is that before the last of its M-steps."""
    from em import EM

    mixture = EM("linear-regression", seed=0, tol=0.0)
    mixture.train(x[: 10 * P, 1:], n_groups=K, n_iters=1, y=y[: 10 * P])
    params = np.column_stack([start["coefficients"], start["scale"]])
    data = np.column_stack([x[:, 1:], y])
    begin = time.perf_counter()
    found = mixture._em_loop(data, start["weights"], params, steps + 1, None)
    return time.perf_counter() - begin, found["loglike"]


def per_step(run, data: tuple, steps: tuple[int, int]) -> float:
    """Seconds a step, starting costs cancelled."""
    short, long = steps
    return (run(*data, long)[0] - run(*data, short)[0]) / (long - short)


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
    data = simulate(options.rows)
    for steps in OURS:  # warm-up: compile
        ours(*data, steps)
    try:
        import em as _  # noqa: F401 (em-fit)
    except ImportError:
        print(f"mixpyro {per_step(ours, data, OURS) * 1e3:.2f} ms a step; em-fit is not installed")
        return
    a, b = ours(*data, THEIRS[1])[1], theirs(*data, THEIRS[1])[1]
    if abs(a - b) > 1e-6 * abs(b):
        raise SystemExit(f"log-likelihoods differ: {a} and {b}")
    times = np.array(
        [(per_step(ours, data, OURS), per_step(theirs, data, THEIRS)) for _ in range(options.pairs)]
    )
    ratio = times[:, 1] / times[:, 0]
    mine, other = np.median(times, 0) * 1e3
    print(f"{'mixpyro ms':>14}{'em-fit ms':>14}{'ratio median':>14}{'min':>7}{'max':>7}")
    print(
        f"{mine:>14.2f}{other:>14.2f}{np.median(ratio):>14.1f}{ratio.min():>7.1f}{ratio.max():>7.1f}"
    )


if __name__ == "__main__":
    main()
