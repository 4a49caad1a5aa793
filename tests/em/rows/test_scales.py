"""Peaks of unbounded likelihoods, on rows that are tied: no family's is taken for an estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, stats
from scipy.special import logsumexp

from mixpyro import em

KEY = jax.random.key(0)
TIED = 4


@dataclass(frozen=True)
class Case:
    """A family of two arguments: by NumPyro, by SciPy, and those of a place and a width.

    ``real`` says whether either may be negative, ``to_data`` brings normal numbers to the support,
    and ``wide`` is the width of all of them together.
    """

    make: Callable[[Any, Any], dist.Distribution]
    log_density: Callable[[np.ndarray, float, float], np.ndarray]
    at: Callable[[float, float], tuple[float, float]]
    real: tuple[bool, bool] = (True, False)
    wide: float = 1.3
    to_data: Callable[[np.ndarray], np.ndarray] = np.asarray


def logistic(x):
    return 1 / (1 + np.exp(-x))


def plain(x, w):
    return x, w


def in_unit_interval(x, w):
    return x / w**2, (1 - x) / w**2


CASES = {
    "normal": Case(dist.Normal, stats.norm.logpdf, plain),
    "normal of a log scale": Case(
        lambda a, b: dist.Normal(a, jnp.exp(b)),
        lambda x, a, b: stats.norm.logpdf(x, a, np.exp(b)),
        lambda x, w: (x, np.log(w)),
        real=(True, True),
    ),
    "lognormal": Case(
        dist.LogNormal,
        lambda x, a, b: stats.lognorm.logpdf(x, b, scale=np.exp(a)),
        lambda x, w: (np.log(x), w),
        to_data=np.exp,
    ),
    "laplace": Case(dist.Laplace, stats.laplace.logpdf, plain),
    "gumbel": Case(dist.Gumbel, stats.gumbel_r.logpdf, plain),
    "student t": Case(
        lambda a, b: dist.StudentT(4.0, a, b),
        lambda x, a, b: stats.t.logpdf(x, 4, a, b),
        plain,
    ),
    "gamma": Case(
        dist.Gamma,
        lambda x, a, b: stats.gamma.logpdf(x, a, scale=1 / b),
        lambda x, w: (1 / w**2, 1 / (w**2 * x)),
        real=(False, False),
        to_data=np.exp,
    ),
    "inverse gamma": Case(
        dist.InverseGamma,
        lambda x, a, b: stats.invgamma.logpdf(x, a, scale=b),
        lambda x, w: (1 / w**2, x / w**2),
        real=(False, False),
        to_data=np.exp,
    ),
    "weibull": Case(
        dist.Weibull,
        lambda x, a, b: stats.weibull_min.logpdf(x, b, scale=a),
        lambda x, w: (x, 1 / w),
        real=(False, False),
        to_data=np.exp,
    ),
    "beta": Case(
        dist.Beta,
        stats.beta.logpdf,
        in_unit_interval,
        real=(False, False),
        wide=0.6,
        to_data=logistic,
    ),
    "beta of a mean": Case(
        lambda a, b: dist.BetaProportion(1 / (1 + jnp.exp(-a)), b),
        lambda x, a, b: stats.beta.logpdf(x, b / (1 + np.exp(-a)), b / (1 + np.exp(a))),
        lambda x, w: (np.log(x / (1 - x)), 1 / w**2),
        real=(True, False),
        wide=0.6,
        to_data=logistic,
    ),
    "von mises": Case(
        dist.VonMises,
        lambda x, a, b: stats.vonmises.logpdf(x, b, loc=a),
        lambda x, w: (x, 1 / w**2),
        wide=0.5,
        to_data=lambda x: x / 3,
    ),
    # No families: NumPyro's densities are all that is known of these.
    "logistic": Case(dist.Logistic, stats.logistic.logpdf, plain),
    "cauchy": Case(dist.Cauchy, stats.cauchy.logpdf, plain),
    "log logistic": Case(
        lambda a, b: dist.TransformedDistribution(
            dist.Logistic(a, b), dist.transforms.ExpTransform()
        ),
        lambda x, a, b: stats.fisk.logpdf(x, 1 / b, scale=np.exp(a)),
        lambda x, w: (np.log(x), w),
        to_data=np.exp,
    ),
    "logit logistic": Case(
        lambda a, b: dist.TransformedDistribution(
            dist.Logistic(a, b), dist.transforms.SigmoidTransform()
        ),
        lambda x, a, b: stats.logistic.logpdf(np.log(x / (1 - x)), a, b) - np.log(x) - np.log1p(-x),
        lambda x, w: (np.log(x / (1 - x)), w),
        wide=0.8,
        to_data=logistic,
    ),
}


def model_of(case: Case) -> Callable:
    def argument(name: str, real: bool) -> Any:
        return numpyro.sample(name, dist.Normal() if real else dist.LogNormal())

    def model(x, num_components=2):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
        with numpyro.plate("components", num_components):
            a, b = (argument(n, real) for n, real in zip("ab", case.real, strict=True))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", case.make(a[z], b[z]), obs=x)

    return model


def drawn(case: Case) -> np.ndarray:
    """Two groups of which one has four rows that are equal, with none beside them."""
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(-1.2, 0.7, 30), rng.normal(1.2, 0.9, 30)])
    x += np.where(np.abs(x + 1.2) < 0.2, 0.4, 0)
    x[:TIED] = -1.2
    return case.to_data(x)


def log_likelihood(case: Case, x: np.ndarray, weights, pairs) -> float:
    with np.errstate(over="ignore"):  # far away from a spike
        densities = [case.log_density(x, *pair) for pair in pairs]
    return float(logsumexp(densities, axis=0, b=np.asarray(weights)[:, None]).sum())


def spike(case: Case, x: np.ndarray, width: float) -> tuple[np.ndarray, list]:
    """One component on the tied rows, so wide, and one for the others."""
    return np.array([TIED / 60, 1 - TIED / 60]), [
        case.at(float(x[0]), width),
        case.at(float(np.median(x)), case.wide),
    ]


def sound_optimum(case: Case, x: np.ndarray) -> float:
    """By SciPy, from the groups that the rows were drawn from."""
    at = np.array([case.at(float(np.median(part)), 0.5) for part in (x[:30], x[30:])])
    on_line = np.array([case.real, case.real])

    def value(v):
        pairs = np.where(on_line, v[1:].reshape(2, 2), np.exp(v[1:].reshape(2, 2)))
        one = 1 / (1 + np.exp(-v[0]))
        return -log_likelihood(case, x, (one, 1 - one), pairs)

    v = np.concatenate([[0.0], np.where(on_line, at, np.log(np.where(on_line, 1, at))).ravel()])
    with np.errstate(all="ignore"):
        for _ in range(4):
            found = optimize.minimize(
                value,
                v,
                method="Nelder-Mead",
                options={"maxiter": 4000, "xatol": 1e-8, "fatol": 1e-9},
            )
            v = found.x
    return -float(found.fun)


def params_at(case: Case, x: np.ndarray, width: float) -> dict[str, np.ndarray]:
    weights, pairs = spike(case, x, width)
    a, b = np.array(pairs).T
    return {"weights": weights, "a": a, "b": b}


QUICK = ("student t", "log logistic")
SPIKES = [
    pytest.param(case, id=name, marks=() if name in QUICK else pytest.mark.slow)
    for name, case in CASES.items()
]


@pytest.mark.parametrize("case", SPIKES)
def test_a_spike_is_higher_and_is_not_taken_for_an_estimate(case, x64):
    x = drawn(case)
    sound = sound_optimum(case, x)
    heights = [log_likelihood(case, x, *spike(case, x, w)) for w in (1e-2, 1e-4, 1e-6, 1e-7)]
    assert heights[0] < heights[1] < heights[2] < heights[3]
    assert heights[3] > sound + 2
    model = model_of(case)
    fit = em.EM(model).run(KEY, x)
    assert fit.base_status is em.Status.CONVERGED
    # As high as the groups', by the same densities, and with many rows in either component.
    assert float(fit.log_likelihood) > sound - 1e-4
    found = {n: np.asarray(v) for n, v in fit.params.items()}
    again = log_likelihood(case, x, found["weights"], zip(found["a"], found["b"], strict=True))
    np.testing.assert_allclose(float(fit.log_likelihood), again, rtol=1e-8)
    rows = np.asarray(fit.predict())
    assert min(len(np.unique(x[rows == j])) for j in (0, 1)) > TIED
    there = em.EM(model).run(KEY, x, init_params=params_at(case, x, 1e-3))
    assert not there.base_status.ok


@pytest.mark.parametrize("case", SPIKES)
def test_a_narrow_component_of_many_rows_is_an_estimate(case, x64):
    """A fiftieth as wide as the data; its rows are no fewer than the others."""
    rng = np.random.default_rng(3)
    x = case.to_data(np.concatenate([rng.normal(-1.2, 0.02, 30), rng.normal(1.2, 0.9, 30)]))
    fit = em.EM(model_of(case)).run(KEY, x)
    assert fit.base_status is em.Status.CONVERGED
    assert np.isclose(np.asarray(fit.params["weights"]), 0.5, atol=0.05).all()
