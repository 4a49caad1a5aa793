"""Models for bad data: sound data of few rows, and the log-likelihood by SciPy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy import special, stats

from mixpyro import models

N = 12
_RNG = np.random.default_rng(17)
_HALF = np.arange(N) % 2


@dataclass(frozen=True)
class Problem:
    """A model, data that it can fit, and ``log_joint(params, x, **kwargs)`` (n, k)."""

    name: str
    model: Callable[..., Any]
    x: np.ndarray
    log_joint: Callable[..., np.ndarray]
    kwargs: dict[str, Any] = field(default_factory=lambda: {"num_components": 2})
    first: str = "x"

    def log_likelihood(self, x: Any, params: Any) -> float:
        """By SciPy, in double precision; a row without any observed entry contributes 0."""
        params = {n: np.asarray(v, float) for n, v in params.items()}
        joint = self.log_joint(params, np.asarray(x, float), self.kwargs)
        joint = np.log(params["weights"]) + joint
        return float(special.logsumexp(joint, 1).sum())


def _entries(density: Callable[..., np.ndarray], x: np.ndarray, *args: np.ndarray) -> np.ndarray:
    """Sum over columns (n, k) of a density at x (n,) or (n, d); NaN entries are left out."""
    matrix = x.reshape(len(x), 1, -1)
    by_entry = density(matrix, *(np.reshape(a, (1, len(a), -1)) for a in args))
    return np.where(np.isnan(matrix), 0.0, by_entry).sum(-1)


def _normal(params: Any, x: np.ndarray, _: Any) -> np.ndarray:
    return _entries(stats.norm.logpdf, x, params["loc"], params["scale"])


def _full(params: Any, x: np.ndarray, _: Any) -> np.ndarray:
    found = np.zeros((len(x), len(params["weights"])))
    for k, (loc, cov) in enumerate(zip(params["loc"], params["covariance_matrix"], strict=True)):
        for n, row in enumerate(x):
            seen = ~np.isnan(row)
            if seen.any():
                factor = np.linalg.cholesky(cov[np.ix_(seen, seen)])
                z = np.linalg.solve(factor, row[seen] - loc[seen])
                found[n, k] = (
                    -0.5 * z @ z
                    - np.log(np.diag(factor)).sum()
                    - 0.5 * seen.sum() * np.log(2 * np.pi)
                )
    return found


def _poisson(params: Any, x: np.ndarray, _: Any) -> np.ndarray:
    return _entries(stats.poisson.logpmf, x, params["rate"])


def _bernoulli(params: Any, x: np.ndarray, _: Any) -> np.ndarray:
    return _entries(stats.bernoulli.logpmf, x, params["probs"])


def _categories(params: Any, x: np.ndarray, _: Any) -> np.ndarray:
    probs, whole = params["probs"], np.nan_to_num(x).astype(int)
    with np.errstate(divide="ignore"):
        logs = np.log(probs)
    by_item = np.stack([logs[:, j, whole[:, j]].T for j in range(x.shape[1])], -1)
    return np.where(np.isnan(x)[:, None], 0.0, by_item).sum(-1)


def _binomial(params: Any, x: np.ndarray, kwargs: Any) -> np.ndarray:
    density = lambda v, p: stats.binom.logpmf(v, kwargs["total_count"], p)  # noqa: E731
    return _entries(density, x, params["probs"])


def _exponential(params: Any, x: np.ndarray, _: Any) -> np.ndarray:
    return _entries(lambda v, r: stats.expon.logpdf(v, scale=1 / r), x, params["rate"])


def _gamma(params: Any, x: np.ndarray, _: Any) -> np.ndarray:
    density = lambda v, a, r: stats.gamma.logpdf(v, a, scale=1 / r)  # noqa: E731
    return _entries(density, x, params["concentration"], params["rate"])


def _beta(params: Any, x: np.ndarray, _: Any) -> np.ndarray:
    return _entries(stats.beta.logpdf, x, params["concentration1"], params["concentration0"])


def _geometric(params: Any, x: np.ndarray, _: Any) -> np.ndarray:
    return _entries(lambda v, p: stats.geom.logpmf(v + 1, p), x, params["probs"])


def _lognormal(params: Any, x: np.ndarray, _: Any) -> np.ndarray:
    density = lambda v, m, s: stats.lognorm.logpdf(v, s, scale=np.exp(m))  # noqa: E731
    return _entries(density, x, params["loc"], params["scale"])


def _regression(params: Any, y: np.ndarray, kwargs: Any) -> np.ndarray:
    mean = kwargs["covariates"] @ params["coefficients"].T
    return stats.norm.logpdf(y[:, None], mean, params["scale"])


_PAIRS = np.column_stack([_HALF * 5.0, _HALF * 3.0]) + _RNG.normal(size=(N, 2))
_COUNTS = _RNG.poisson(2.0 + 9.0 * _HALF)
_POSITIVE = _RNG.gamma(3.0, 1.0 + 5.0 * _HALF)
_LINE = np.column_stack([np.ones(N), np.linspace(-2, 2, N)])

PROBLEMS = {
    p.name: p
    for p in (
        Problem(
            "diagonal normals",
            partial(models.gaussian_mixture, covariance="diagonal"),
            _PAIRS,
            _normal,
        ),
        Problem("full normals", models.gaussian_mixture, _PAIRS, _full),
        Problem("counts", models.poisson_mixture, _COUNTS, _poisson),
        Problem(
            "items",
            models.bernoulli_mixture,
            (_RNG.random((N, 3)) < 0.2 + 0.6 * _HALF[:, None]).astype(int),
            _bernoulli,
        ),
        Problem(
            "latent classes",
            models.latent_class,
            _RNG.integers(0, 3, (N, 3)),
            _categories,
            {"num_components": 2, "num_categories": 3},
        ),
        Problem(
            "trials",
            models.binomial_mixture,
            _RNG.binomial(9, 0.2 + 0.6 * _HALF),
            _binomial,
            {"num_components": 2, "total_count": 9},
        ),
        Problem("lifetimes", models.exponential_mixture, _POSITIVE, _exponential),
        Problem("gammas", models.gamma_mixture, _POSITIVE, _gamma),
        Problem(
            "shares", models.beta_mixture, special.expit(_RNG.normal(size=N) + 3 * _HALF), _beta
        ),
        Problem("failures", models.geometric_mixture, _COUNTS, _geometric),
        Problem("log-normals", models.lognormal_mixture, _POSITIVE, _lognormal),
        Problem(
            "lines",
            models.linear_regression_mixture,
            _LINE @ np.array([1.0, 2.0]) + _RNG.normal(size=N),
            _regression,
            {"num_components": 2, "covariates": _LINE},
            "y",
        ),
    )
}
