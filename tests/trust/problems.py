"""Models for bad data: sound data of few rows, and the log-likelihood by SciPy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax.numpy as jnp
import mpmath as mp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import special, stats

from mixpyro import models

from .densities import poisson

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

    def log_prob(self, x: Any, params: Any) -> np.ndarray:
        """(n,) by SciPy, in double precision; a row without any observed entry contributes 0."""
        params = {n: np.asarray(v, float) for n, v in params.items()}
        with np.errstate(all="ignore"):
            joint = self.log_joint(params, self.read(x), self.kwargs)
            return special.logsumexp(joint + np.log(params["weights"]), axis=1)

    def read(self, x: Any) -> np.ndarray:
        """What the data are to mean: masked and missing entries are NaN, categories their codes."""
        if isinstance(x, np.ma.MaskedArray):
            x = np.ma.filled(x.astype(float), np.nan)
        if hasattr(x, "to_numpy"):
            x = x.to_numpy(dtype=float, na_value=np.nan)
        array = np.asarray(x)
        if self.name == "latent classes" and array.dtype.kind not in "biuf":
            return np.column_stack([_codes(column) for column in array.T])
        return array.astype(jnp.result_type(float)).astype(float)


def _codes(column: np.ndarray) -> np.ndarray:
    """Categories by their order, NaN for None; whole numbers below 3 are their own."""
    there = sorted({v for v in column.tolist() if v is not None})
    own = all(isinstance(v, int) for v in there) and there and max(there) < 3
    code = {v: float(v if own else i) for i, v in enumerate(there)} | {None: np.nan}
    return np.array([code[v] for v in column.tolist()])


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
    return _entries(_log_poisson, x, params["rate"])


def _log_poisson(x: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """SciPy's, but of large counts, whose terms cancel there: those have thirty digits."""
    found = stats.poisson.logpmf(x, rate)
    large = (x > 1e5) & np.isfinite(found)
    pairs = zip(*(v[large] for v in np.broadcast_arrays(x, rate)), strict=True)
    with mp.workdps(30):
        found[large] = [float(poisson(mp.mpf(v), mp.mpf(r))) for v, r in pairs]
    return found


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


def _own(x: Any, num_components: int) -> None:
    """Normals as a user writes them, who checks nothing."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 10))
        scale = numpyro.sample("scale", dist.HalfNormal(5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def _regression(params: Any, y: np.ndarray, kwargs: Any) -> np.ndarray:
    mean = np.asarray(kwargs["covariates"]) @ params["coefficients"].T
    density = stats.norm.logpdf(y.reshape(-1, 1), mean, params["scale"])
    return np.where(np.isnan(y).reshape(-1, 1), 0.0, density)


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
        Problem("own normals", _own, _PAIRS[:, 0], _normal),
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
