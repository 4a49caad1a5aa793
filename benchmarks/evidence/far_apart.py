"""Groups far apart, by defaults: the section "Groups far apart" of docs/evidence.md.

python benchmarks/evidence/far_apart.py [32 | 64] [CASE ...]

Three groups, the third of them 50, 5,000 or 100,000 widths of a group away. The best is no lower
than the likelihood at the groups' own estimates, by SciPy: a fit that is lower, and ok, is WRONG;
one that is lower and says so has only MISSED it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy import stats

from mixpyro import em, models

NEAR = 0.05
FAR = (50.0, 5e3, 1e5)
STRUCTURES = ("full", "tied", "diagonal", "EEI", "VII", "EII")


class Case(NamedTuple):
    """A model's data and options, and the log-likelihood at the groups' own estimates."""

    name: str
    model: Callable
    x: np.ndarray
    options: dict[str, Any]
    of_groups: float


def sizes(group: np.ndarray) -> float:
    """The log-likelihood of the groups alone."""
    counts = np.bincount(group)
    return float((counts * np.log(counts / len(group))).sum())


def by_group(group: np.ndarray, function: Callable[[np.ndarray], float]) -> float:
    """The sum over groups of a function of their rows' places, with that of the groups."""
    return sizes(group) + sum(function(group == j) for j in range(3))


def normal(rest: np.ndarray) -> float:
    return float(stats.norm.logpdf(rest, rest.mean(), rest.std()).sum())


def fitted(family: Any, x: np.ndarray) -> float:
    return float(family.logpdf(x, *family.fit(x, floc=0)).sum())


def columns(rng: np.random.Generator, far: float) -> Iterator[Case]:
    """Three columns, by covariance structure."""
    group = rng.choice(3, 400, p=[0.5, 0.42, 0.08])
    x = rng.normal(size=(400, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 2]])
    x += np.array([[0, 0, 0], [9, 0, 0], [0, far, 0]])[group]
    rest = x - np.stack([x[group == j].mean(0) for j in range(3)])[group]
    each = [np.cov(rest[group == j].T, bias=True) for j in range(3)]
    within = rest.T @ rest / len(x)
    for name in STRUCTURES:
        covariances = [within] * 3 if name in ("tied", "EEI", "EII") else each
        if name in ("diagonal", "EEI"):
            covariances = [np.diag(np.diag(c)) for c in covariances]
        if name in ("VII", "EII"):
            covariances = [np.eye(3) * np.trace(c) / 3 for c in covariances]
        density = [stats.multivariate_normal(np.zeros(3), c).logpdf for c in covariances]
        best = sizes(group) + sum(density[j](rest[group == j]).sum() for j in range(3))
        yield Case(f"normals, {name}", models.gaussian_mixture, x, {"covariance": name}, best)


def one_column(rng: np.random.Generator, far: float) -> Iterator[Case]:
    """One column of ten families, and regressions on one covariate."""
    group = rng.choice(3, 300, p=[0.5, 0.45, 0.05])
    x = np.array([0, 8, far])[group] + rng.normal(size=300)
    rest = x - np.array([x[group == j].mean() for j in range(3)])[group]
    shared, own = sizes(group) + normal(rest), by_group(group, lambda at: normal(x[at]))
    gaussian, column = models.gaussian_mixture, x[:, None]
    yield Case("a normal column, tied", gaussian, column, {"covariance": "tied"}, shared)
    yield Case("a normal column", gaussian, column, {}, own)
    # Student's t with many degrees of freedom comes near to a normal.
    yield Case("student t", models.student_t_mixture, column, {}, own - 1)
    u = np.array([0, 8, 3 * np.log(far)])[group] + rng.normal(size=300) / 2
    best = by_group(group, lambda at: normal(u[at]) - u[at].sum())
    yield Case("log-normal", models.lognormal_mixture, np.exp(u)[:, None], {}, best)
    mean = np.array([1, 30, 30 * far])[group]
    y = rng.exponential(mean)
    best = by_group(group, lambda at: -(np.log(y[at].mean()) + 1) * at.sum())
    yield Case("exponential", models.exponential_mixture, y[:, None], {}, best)
    y = rng.gamma(20, mean / 20)
    best = by_group(group, lambda at, y=y: fitted(stats.gamma, y[at]))
    yield Case("gamma", models.gamma_mixture, y[:, None], {}, best)
    y = mean * rng.weibull(4, size=300)
    best = by_group(group, lambda at, y=y: fitted(stats.weibull_min, y[at]))
    yield Case("weibull", models.weibull_mixture, y[:, None], {}, best)
    count = rng.poisson(np.array([3, 100, 10 * far])[group])
    best = by_group(group, lambda at: stats.poisson.logpmf(count[at], count[at].mean()).sum())
    yield Case("poisson", models.poisson_mixture, count[:, None], {}, best)
    design = np.c_[np.ones(300), rng.normal(size=300)]
    slope = np.array([1, -1, 2])[group]
    y = np.array([0, 8, far])[group] + slope * design[:, 1] + 0.3 * rng.normal(size=300)
    fits = [np.linalg.lstsq(design[group == j], y[group == j])[0] for j in range(3)]
    rest = y - (design * np.array(fits)[group]).sum(1)
    options = {"covariates": design}
    best = by_group(group, lambda at: normal(rest[at]))
    yield Case("lines", models.linear_regression_mixture, y, options, best)
    best = sizes(group) + normal(rest)
    options = options | {"tied_scale": True}
    yield Case("lines, tied", models.linear_regression_mixture, y, options, best)


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    for far in FAR:
        for case in (*one_column(rng, far), *columns(rng, far)):
            yield case._replace(name=f"{case.name}, {far:g}")


def judged(case: Case) -> tuple[str, em.Fit]:
    fit = em.EM(case.model).run(0, case.x, num_components=3, **case.options)
    if fit.log_likelihood > case.of_groups - NEAR:
        return "found" if fit.status.ok else "FOUND BUT NOT OK", fit
    return "WRONG" if fit.status.ok else "MISSED", fit


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    bits = [int(a) for a in sys.argv[1:] if a in ("32", "64")] or [64, 32]
    wanted = [a for a in sys.argv[1:] if a not in ("32", "64")]
    for case in cases():
        for precision in bits if not wanted or case.name in wanted else ():
            with jax.enable_x64(precision == 64):
                word, fit = judged(case)
                short = case.of_groups - fit.log_likelihood
                print(f"{case.name:32s} {precision} {word:8s} {fit.status.name:15s} {short:.3f}")
