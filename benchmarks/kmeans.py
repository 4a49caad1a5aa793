"""Time per step of k-means, side by side with scikit-learn (Lloyd) and, in single precision, faiss.

    python benchmarks/kmeans.py [--pairs 5] [--rows 100000]

See ``_pairs.py`` for what is measured: rows without clusters, so that no run ends early, and the
same centroids to start from. faiss is `pip install faiss-cpu`.
"""

from __future__ import annotations

import importlib.util
import time

import _pairs
import jax
import numpy as np
from sklearn.cluster import KMeans

from mixpyro import em

SIZES = ((2, 4, float), (32, 16, float), (32, 64, np.float32), (64, 256, np.float32))
OUR_STEPS, STEPS = (2, 32), (2, 12)


def simulate(n: int, d: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one normal, and some of them to start from."""
    rng = np.random.default_rng(d * 1000 + k)
    x = rng.normal(size=(n, d))
    return x, x[rng.choice(n, k, replace=False)]


def inertia(x: np.ndarray, centroids: np.ndarray) -> float:
    """The sum of squares that is left, in double precision."""
    x, centroids = x.astype(float), centroids.astype(float)
    squares = (x**2).sum(1)[:, None] - 2 * x @ centroids.T + (centroids**2).sum(1)
    return float(squares.min(1).sum())


def ours(x: np.ndarray, init: np.ndarray) -> _pairs.Run:
    """Runs of mixpyro."""

    def run(steps: int) -> tuple[float, float]:
        with jax.enable_x64(x.dtype == float):
            begin = time.perf_counter()
            found = em.kmeans(x, len(init), 0, init=init, max_steps=steps)
            seconds = time.perf_counter() - begin
        if found.num_steps != steps:
            raise SystemExit(f"k-means stopped after {found.num_steps} of {steps} steps")
        return seconds, inertia(x, np.asarray(found.centroids))

    return run


def sklearn(x: np.ndarray, init: np.ndarray) -> _pairs.Run:
    """Runs of scikit-learn."""

    def run(steps: int) -> tuple[float, float]:
        means = KMeans(len(init), init=init, n_init=1, max_iter=steps, tol=0, algorithm="lloyd")
        begin = time.perf_counter()
        means.fit(x)
        return time.perf_counter() - begin, inertia(x, means.cluster_centers_)

    return run


def faiss(x: np.ndarray, init: np.ndarray) -> _pairs.Run:
    """Runs of faiss, of all rows and whatever the clusters' sizes."""
    import faiss

    def run(steps: int) -> tuple[float, float]:
        most = {"max_points_per_centroid": len(x), "min_points_per_centroid": 1}
        means = faiss.Kmeans(x.shape[1], len(init), niter=steps, nredo=1, **most)
        begin = time.perf_counter()
        means.train(x, init_centroids=init)
        return time.perf_counter() - begin, inertia(x, means.centroids)

    return run


def contests(n: int) -> list[_pairs.Contest]:
    """One or two rows of the table for each size."""
    out = []
    for d, k, dtype in SIZES:
        x, init = (a.astype(dtype) for a in simulate(n, d, k))
        label = f"d = {d}, k = {k}, {x.dtype}"
        peers = {"scikit-learn": sklearn(x, init)}
        if dtype is np.float32:
            there = importlib.util.find_spec("faiss") is not None
            peers["faiss"] = faiss(x, init) if there else None
        agree = 1e-9 if dtype is float else 1e-5
        mine = ours(x, init)
        out += [
            _pairs.Contest(label, mine, name, run, OUR_STEPS, STEPS, agree)
            for name, run in peers.items()
        ]
    return out


if __name__ == "__main__":
    options = _pairs.options(__doc__)
    _pairs.table(contests(options.rows), options, "")
