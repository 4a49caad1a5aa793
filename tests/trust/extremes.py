"""Families at extreme arguments, and their densities in mpmath: see `test_numerics.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints

from mixpyro import em, models

from .densities import (
    beta,
    binomial,
    dirichlet,
    dirichlet_multinomial,
    exponential,
    gamma,
    geometric,
    half_normal,
    hurdle_poisson,
    laplace,
    lognormal,
    multinomial,
    negative_binomial,
    normal,
    poisson,
    student_t,
    von_mises,
    weibull,
    zero_inflated_poisson,
)

mp.mp.dps = 50


def mixture_of(family: Callable, **args: tuple) -> Callable:
    """Two components of a family; ``args`` {name: (support, event shape)}."""

    def mixture(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            own = {
                name: numpyro.sample(name, dist.ImproperUniform(support, (), shape))
                for name, (support, shape) in args.items()
            }
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", family(**{name: v[z] for name, v in own.items()}), obs=x)

    return mixture


@dataclass(frozen=True, eq=False)
class Extreme:
    """A model, its density of a row and component, and data that try it.

    ``kwargs`` are those of the model; ``edge`` says that a parameter ends at a boundary, where the
    likelihood has no maximum inside; ``single`` is how a fit in single precision may end if it is
    not ok: MISREAD where NumPyro's own density has no digits.
    """

    model: Callable
    density: Callable
    x: np.ndarray
    kwargs: dict[str, Any] = field(default_factory=lambda: {"num_components": 2})
    edge: bool = False
    single: em.Status | None = None


HALF = np.arange(16) % 2
SPREAD = np.linspace(-1.5, 1.5, 8).repeat(2)
STEP = np.arange(16) // 2
_LIVES = (1 + 50 * HALF) * np.exp(SPREAD)
_ONE_IN_A_MILLION = np.array([[10**6, 10**3, 20], [10**3, 10**6, 900]])[HALF]
_COUNTS = _ONE_IN_A_MILLION + STEP[:, None] * np.array([3000, 7, 3])
_SHARES = (_COUNTS + STEP[:, None] ** 2) / (_COUNTS + STEP[:, None] ** 2).sum(1, keepdims=True)
_DIAGONAL = {"num_components": 2, "covariance": "diagonal"}
_POSITIVE, _REAL = constraints.positive, constraints.real

EXTREMES = {
    "rare failures": Extreme(
        models.geometric_mixture, geometric, 20_000 + 90_000 * HALF + np.arange(16)
    ),
    "rare successes": Extreme(
        models.binomial_mixture,
        binomial,
        1 + 40 * HALF + np.arange(16) // 4,
        {"num_components": 2, "total_count": 1_000_000},
    ),
    "large counts": Extreme(models.poisson_mixture, poisson, 3_000 + 50_000 * HALF + np.arange(16)),
    "tiny lifetimes": Extreme(models.exponential_mixture, exponential, 1e-12 * _LIVES),
    "huge lifetimes": Extreme(models.exponential_mixture, exponential, 1e12 * _LIVES),
    "sharp gammas": Extreme(models.gamma_mixture, gamma, (1 + 4 * HALF) * np.exp(SPREAD / 30)),
    "heavy gammas": Extreme(models.gamma_mixture, gamma, (1 + 1e6 * HALF) * np.exp(SPREAD * 8)),
    "normals far off": Extreme(
        models.gaussian_mixture,
        normal,
        (2.0**20 + np.round(SPREAD * 8) + 96 * HALF)[:, None],
        _DIAGONAL,
    ),
    "huge lognormals": Extreme(models.lognormal_mixture, lognormal, np.exp(60 + SPREAD + 9 * HALF)),
    "narrow lognormals": Extreme(
        models.lognormal_mixture, lognormal, (1 + 4 * HALF) * np.exp(SPREAD / 300)
    ),
    "sharp Weibulls": Extreme(
        models.weibull_mixture, weibull, (1 + 4 * HALF) * np.exp(SPREAD / 30)
    ),
    "tiny Weibulls": Extreme(models.weibull_mixture, weibull, 1e-9 * (1 + 40 * HALF) * _LIVES),
    "counts like Poisson's": Extreme(
        models.negative_binomial_mixture,
        negative_binomial,
        3_000 + 50_000 * HALF + np.round(SPREAD * 60).astype(int),
        edge=True,
    ),
    "counts of any size": Extreme(
        models.negative_binomial_mixture,
        negative_binomial,
        np.round((3_000 + 500_000 * HALF) * np.exp(SPREAD / 4)).astype(int),
    ),
    "sharp angles": Extreme(models.von_mises_mixture, von_mises, -2 + 4 * HALF + SPREAD / 100),
    "shares near 0": Extreme(
        models.beta_mixture, beta, 1e-5 * (1 + 100 * HALF) * np.exp(SPREAD / 2)
    ),
    "sharp shares": Extreme(models.beta_mixture, beta, 0.3 + 0.4 * HALF + SPREAD / 500),
    "sharp compositions": Extreme(
        mixture_of(dist.Dirichlet, concentration=(_POSITIVE, (3,))),
        dirichlet,
        _SHARES,
        {},
        # Shares that add up to 1 to seven digits, times a concentration of 175,000.
        single=em.Status.MISREAD,
    ),
    "rare twos": Extreme(
        models.hurdle_poisson,
        hurdle_poisson,
        np.array([0, 1, 1, 1, 1, 1, 1, 2] * 2),
        {"num_components": 1},
    ),
    "large counts or none": Extreme(
        models.zero_inflated_poisson,
        zero_inflated_poisson,
        np.where(HALF, 0, 40_000 + np.round(SPREAD * 200)).astype(int),
        {},
    ),
    "a million trials": Extreme(models.multinomial_mixture, multinomial, _COUNTS),
    "a million correlated trials": Extreme(
        models.dirichlet_multinomial_mixture,
        dirichlet_multinomial,
        _COUNTS,
        edge=True,  # a concentration of 7e7
        single=em.Status.MISREAD,
    ),
    "Laplace's far off": Extreme(
        mixture_of(dist.Laplace, loc=(_REAL, ()), scale=(_POSITIVE, ())),
        laplace,
        4096 + SPREAD + 20 * HALF,
        {},
        edge=True,  # a corner
    ),
    "huge halves": Extreme(
        mixture_of(dist.HalfNormal, scale=(_POSITIVE, ())),
        half_normal,
        1e10 * (1 + 400 * HALF) * np.exp(SPREAD),
        {},
    ),
    "an outlier": Extreme(
        models.student_t_mixture, student_t, np.where(np.arange(16) == 5, 100, SPREAD + 30 * HALF)
    ),
}


# By the bits of floats: how far a log-likelihood may be from the exact one, as a part of what it
# sums (logarithms of narrow data have lost digits before), and what Newton's method may find left.
FAR, LEFT = {32: 2e-4, 64: 1e-11}, {32: 5e-3, 64: 1e-6}


def judged(case: Extreme, bits: int) -> tuple[em.Status, float, float]:
    """The status of a fit, its log-likelihood's relative error, and what is left to gain."""
    with jax.enable_x64(bits == 64):
        x = case.x if case.x.dtype.kind == "i" else case.x.astype(f"float{bits}")
        fit = em.EM(case.model, num_restarts=2).run(0, x, **case.kwargs)
        params = {name: exactly(value) for name, value in fit.params.items()}
        found, status = float(fit.log_likelihood), fit.status
    exact, size = log_likelihood(case, x, params)
    return status, float(abs(found - exact) / size), left_to_gain(case, x, params)


def log_likelihood(case: Extreme, x: np.ndarray, params: dict) -> tuple[mp.mpf, mp.mpf]:
    """The log-likelihood of params {name: array of mpf}, and the size of what it sums."""
    weights = params.get("weights", np.array([mp.mpf(1)]))
    names = [name for name in params if name != "weights"]
    total = size = mp.mpf(0)
    for row in exactly(x):
        parts = []
        for k, weight in enumerate(weights):
            own = {n: params[n] if params[n].ndim == 0 else params[n][k] for n in names}
            density = case.density(_number(row), **{n: _number(v) for n, v in own.items()})
            parts.append(mp.log(weight) + density)
        top = max(parts)
        total += top + mp.log(sum(mp.exp(p - top) for p in parts))
        size += abs(top)
    return total, size


def exactly(values: Any) -> np.ndarray:
    """An array of mpf, each the number that the float is."""
    return np.vectorize(lambda v: mp.mpf(float(v)), otypes=[object])(values)


def _number(values: Any) -> Any:
    flat = np.ravel(values)
    return flat[0] if len(flat) == 1 else list(flat)


def left_to_gain(case: Extreme, x: np.ndarray, params: dict) -> float:
    """How much a step of Newton's method in one parameter could gain, of all the greatest.

    By differences of the exact log-likelihood. Probabilities of several categories are left out:
    they do not move one by one.
    """
    base, _ = log_likelihood(case, x, params)
    step, most = mp.mpf("1e-15"), mp.mpf(0)
    for name, value in params.items():
        if name == "weights" or case.density is multinomial:
            continue
        for at in np.ndindex(value.shape):
            unit = params["scale"][at] if name == "loc" and "scale" in params else abs(value[at])
            ends = []
            for sign in (-1, 1):
                moved = value.copy()
                moved[at] = value[at] + sign * step * unit
                ends.append(log_likelihood(case, x, params | {name: moved})[0])
            slope = (ends[1] - ends[0]) / (2 * step)
            curvature = (ends[0] - 2 * base + ends[1]) / step**2
            most = max(most, slope**2 / (2 * abs(curvature)))
    return float(most)
