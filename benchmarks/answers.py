"""The right answer by default: how often it is found, and how soon, beside scikit-learn.

    python benchmarks/answers.py [problems] [optima] [overlapping]

``problems``: 200 simulated data sets of five families (`_problems.py`), each fitted by
``em.EM(model).run(key, ...)`` without options and, to know the best optimum, from 120 starts of
four kinds. ``optima``: data whose best optimum is known, by five keys. ``overlapping``: four
overlapping normals in three dimensions, 20,000 and 1,000,000 rows, from one start in float32 and
float64, by plain EM, and by scikit-learn's `GaussianMixture` with `tol` small enough to get there,
for up to fifteen times as long. Times are of whole runs.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import os
import platform
import time
import warnings
from typing import Any

import jax
import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

jax.config.update("jax_enable_x64", True)

from _problems import Problem, problems  # noqa: E402

from mixpyro import data, em, models  # noqa: E402

KINDS = ("kmeans++", "random", "random cuts", "random rows")
# Within so much of the best log-likelihood that is known counts as found.
NEAR = 1e-3
# So many times our seconds scikit-learn is given to get to an optimum.
_LONGER = 15


def fitted(problem: Problem, key: int, **options: Any) -> em.Fit:
    fitter = em.EM(problem.model, **options)
    return fitter.run(jax.random.key(key), *problem.args, **problem.kwargs)


def searched(problem: Problem) -> float:
    """The best sound optimum of many starts."""
    fits = [fitted(problem, 1, start=kind, num_restarts=30) for kind in KINDS]
    sound = [float(f.log_likelihood) for f in fits if f.base_status is em.Status.CONVERGED]
    return max(sound, default=-np.inf)


def simulated() -> None:
    found, total, seconds = collections.Counter(), collections.Counter(), {}
    short: list[str] = []
    for problem in problems():
        begin = time.perf_counter()
        fit = fitted(problem, 0)
        seconds.setdefault(problem.family, []).append(time.perf_counter() - begin)
        sound = fit.base_status is em.Status.CONVERGED
        reached = float(fit.log_likelihood) if sound else -np.inf
        best = max(reached, searched(problem))
        total[problem.family] += 1
        found[problem.family] += sound and reached > best - NEAR
        if reached <= best - NEAR:
            k = problem.kwargs["num_components"]
            short.append(f"{problem.family}, K = {k}, {problem.number}: {best - reached:.3f}")
    print("| family | found | of | median s a fit |\n| --- | --- | --- | --- |")
    for family, of in total.items():
        print(f"| {family} | {found[family]} | {of} | {np.median(seconds[family]):.2f} |")
    print(f"\nall: {sum(found.values())} of {sum(total.values())}; short: {'; '.join(short)}")


def known() -> None:
    """K-means of iris (Bagirov 2008), by five keys."""
    x = load_iris().data
    print("| data | K | best known | found by keys | largest |\n| --- | --- | --- | --- | --- |")
    for k, best in ((3, 78.851), (4, 57.228), (5, 46.446), (6, 39.040)):
        got = [em.kmeans(x, k, jax.random.key(key)).inertia for key in range(5)]
        hits = sum(g < best + NEAR for g in got)
        print(f"| k-means, iris | {k} | {best} | {hits} of 5 | {max(got):.3f} |")
    x = np.asarray(data.load_old_faithful())
    best = GaussianMixture(2, n_init=20, tol=1e-12, max_iter=9999).fit(x).score(x)
    fits = [
        em.EM(models.gaussian_mixture).run(jax.random.key(key), x, num_components=2)
        for key in range(5)
    ]
    got = [float(f.log_likelihood) for f in fits]
    hits = sum(g > len(x) * best - NEAR for g in got)
    print(f"| normals, faithful | 2 | {len(x) * best:.3f} | {hits} of 5 | {max(got):.3f} |")


CENTRES = np.array([[0, 0, 0], [1.5, 0, 0], [0, 1.5, 0], [0, 0, 1.5]])


def overlapping(n: int) -> None:
    """All from the parameters that the rows were drawn from: there are many optima."""
    rng = np.random.default_rng(0)
    x = CENTRES[rng.integers(4, size=n)] + rng.normal(size=(n, 3))
    start = {
        "weights": np.full(4, 0.25),
        "loc": CENTRES,
        "covariance_matrix": np.broadcast_to(np.eye(3), (4, 3, 3)),
    }

    def double(fit: em.Fit) -> float:
        weights, loc, cov = (np.asarray(fit.params[name], float) for name in start)
        each = [multivariate_normal(m, s).logpdf(x) for m, s in zip(loc, cov, strict=True)]
        weights = weights / weights.sum()
        return float(logsumexp(np.stack(each, 1) + np.log(weights), 1).sum())

    def climbed(label: str, runs: int = 2, **options: Any) -> float:
        fitter, times = em.EM(models.gaussian_mixture, **options), []
        for _ in range(runs):
            begin = time.perf_counter()
            fit = fitter.run(0, x, num_components=4, init_params=start)
            times.append(time.perf_counter() - begin)
        label = f"{label} ({fit.base_status.name})"
        print(
            f"| {label} | {times[0]:.2f} | {times[-1]:.2f} | {fit.num_steps} | {double(fit):.4f} |",
            flush=True,
        )
        return times[-1]

    print(f"n = {n:,}\n")
    print("| | first s | s | steps | log-likelihood, in double |\n| --- | --- | --- | --- | --- |")
    with jax.enable_x64(False):
        climbed("mixpyro, float32")
    ours = climbed("mixpyro, float64")
    climbed("plain EM", 1, accelerate=None)

    def theirs(steps: int) -> tuple[float, GaussianMixture]:
        mixture = GaussianMixture(
            4,
            tol=1e-11,
            max_iter=steps,
            weights_init=start["weights"],
            means_init=start["loc"],
            precisions_init=start["covariance_matrix"],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            begin = time.perf_counter()
            mixture.fit(x)
        return time.perf_counter() - begin, mixture

    # To the end, or for _LONGER times as long as ours took.
    short, long = (theirs(steps)[0] for steps in (2, 12))
    took, found = theirs(min(10_000, int(_LONGER * ours / (long - short) * 10)))
    end = "" if found.converged_ else f", stopped after {_LONGER} times as long"
    score = found.score_samples(x).sum()
    print(f"| scikit-learn, tol=1e-11{end} | | {took:.2f} | {found.n_iter_} | {score:.4f} |\n")


def all_overlapping() -> None:
    for n in (20_000, 1_000_000):
        overlapping(n)


PARTS = {"problems": simulated, "optima": known, "overlapping": all_overlapping}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(f"{datetime.date.today()}, {machine}, JAX {jax.__version__}")
    for part in parser.parse_args().parts:
        print(f"\n{part}\n")
        PARTS[part]()
