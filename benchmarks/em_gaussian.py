"""Time per EM step of a full-covariance Gaussian mixture, side by side with scikit-learn.

    python benchmarks/em_gaussian.py [--pairs 5] [--rows 100000]

See ``_pairs.py`` for what is measured.
"""

from __future__ import annotations

import time
import warnings

import _pairs
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from mixpyro import models

SIZES = ((2, 4), (10, 10), (32, 16), (64, 32))
# Of ours more, or their difference is nothing beside what a run takes anyhow.
OUR_STEPS, STEPS = (2, 42), (2, 12)


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


def sklearn(x: np.ndarray, start: dict) -> _pairs.Run:
    """Runs of scikit-learn."""

    def run(steps: int) -> tuple[float, float]:
        mixture = GaussianMixture(
            len(start["loc"]),
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

    return run


def contest(n: int, d: int, k: int) -> _pairs.Contest:
    """One size."""
    x, start = simulate(n, d, k)
    ours = _pairs.ours(models.gaussian_mixture, start, x, num_components=k)
    label = f"d = {d}, k = {k}"
    return _pairs.Contest(label, ours, "scikit-learn", sklearn(x, start), OUR_STEPS, STEPS)


if __name__ == "__main__":
    options = _pairs.options(__doc__)
    _pairs.table([contest(options.rows, d, k) for d, k in SIZES], options)
