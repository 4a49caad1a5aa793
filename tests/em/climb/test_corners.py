"""The end of a climb is tried by moves without derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, special

from mixpyro import em
from mixpyro.em.climb import corners


def lines(y, t):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        a = numpyro.sample("a", dist.Normal(0, 5))
        b = numpyro.sample("b", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(1))
    with numpyro.plate("rows", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Laplace(a[z] + b[z] * t, scale[z]), obs=y)


def data():
    rng = np.random.default_rng(1)
    t, z = rng.uniform(-2, 2, 120), (rng.random(120) > 0.4).astype(int)
    mean = np.array([0.0, 3.0])[z] + np.array([1.0, -1.0])[z] * t
    return mean + 0.4 * rng.laplace(size=120), t


def best_simplex(y, t):
    def cost(v):
        own = [-np.abs(y - v[k] - v[2 + k] * t) / np.exp(v[4 + k]) - v[4 + k] for k in range(2)]
        log_w = special.log_expit(v[6]), special.log_expit(-v[6])
        return -(np.logaddexp(log_w[0] + own[0], log_w[1] + own[1]) - np.log(2)).sum()

    rng = np.random.default_rng(0)
    start = np.array([0.0, 3.0, 1.0, -1.0, -1.0, -1.0, -0.7])
    settings = {"maxiter": 6000, "maxfev": 6000, "adaptive": True, "xatol": 1e-8, "fatol": 1e-10}
    starts = [start + 0.3 * rng.standard_normal(7) for _ in range(10)]
    runs = (optimize.minimize(cost, s, method="Nelder-Mead", options=settings) for s in starts)
    return max(-run.fun for run in runs)


@pytest.mark.slow
def test_least_absolute_deviations_end_at_their_maximum_or_say_so(x64):
    """Newton's method stops at any of the corners of this likelihood."""
    y, t = data()
    fit = em.EM(lines).run(jax.random.key(0), y, t)
    assert fit.base_status in (em.Status.CONVERGED, em.Status.STALLED)
    short = best_simplex(y, t) - fit.log_likelihood
    assert short < 1e-3 or fit.base_status is em.Status.STALLED


@pytest.mark.slow
def test_what_still_rises_after_all_rounds_is_not_called_converged(monkeypatch, x64):
    y, t = data()
    monkeypatch.setattr(corners, "_ROUNDS", 0)
    fit = em.EM(lines, num_restarts=2).run(jax.random.key(0), y, t)
    assert fit.status is em.Status.STALLED
    assert "still raises the objective" in fit.message
