"""Densities without statistics, on batches: the optimum of a likelihood written by hand."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp
from scipy.stats import poisson, t

from mixpyro import em

RNG = np.random.default_rng(4)
N, SIZE = 700, 150
T = RNG.normal(size=N)
Z = RNG.random(N) < expit(0.5 + T)
Y = RNG.poisson(np.exp(np.where(Z, 1.5 + 0.5 * T, -0.2 - 0.3 * T)))
NAMES = ("gate", "intercept", "slope")
NEAR = {
    "gate": np.array([0.0, 0.5]),
    "intercept": np.array([0.0, 1.0]),
    "slope": np.array([0.0, 0.2]),
}


def experts(t, y):
    """Poisson regressions of two classes, whose probabilities depend on the covariate too."""
    gate = numpyro.sample("gate", dist.Normal(0, 5).expand([2]))
    with numpyro.plate("components", 2):
        intercept = numpyro.sample("intercept", dist.Normal(0, 5))
        slope = numpyro.sample("slope", dist.Normal(0, 5))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(logits=gate[0] + gate[1] * t))
        numpyro.sample("y", dist.Poisson(jnp.exp(intercept[z] + slope[z] * t)), obs=y)


def log_likelihood(vector):
    gate, intercept, slope = np.reshape(vector, (3, 2))
    logit = gate[0] + gate[1] * T
    prior = np.stack([log_expit(-logit), log_expit(logit)])
    rate = np.exp(intercept[:, None] + slope[:, None] * T)
    return logsumexp(prior + poisson.logpmf(Y, rate), axis=0).sum()


def fitted(start, **options):
    data = (em.Batches(T, batch_size=SIZE), em.Batches(Y, batch_size=SIZE))
    return em.EM(experts, **options).run(0, *data, init_params=start)


def test_passes_end_at_the_optimum(x64):
    fit = fitted(NEAR)
    start = np.concatenate([fit.params[n] for n in NAMES]) + 0.01
    best = minimize(lambda v: -log_likelihood(v), start, tol=1e-10)
    assert fit.status == em.Status.CONVERGED
    assert (np.diff(fit.trace) >= 0).all()
    np.testing.assert_allclose(fit.log_likelihood, -best.fun, atol=1e-6)
    found = np.concatenate([fit.params[n] for n in NAMES])
    np.testing.assert_allclose(found, best.x, atol=1e-3)


def test_so_do_those_of_a_family_that_works_on_rows(x64):
    """Student's t, whose M-step in memory is the family's own."""
    x = RNG.standard_t(4, N) + np.where(Z, 5.0, 0.0)

    def students(x):
        with numpyro.plate("components", 2):
            df = numpyro.sample("df", dist.Gamma(2, 0.1))
            loc = numpyro.sample("loc", dist.Normal(0, 5))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Bernoulli(0.5))
            numpyro.sample("x", dist.StudentT(df[z], loc[z], 1.0), obs=x)

    def negative(vector):
        log_df, loc = np.reshape(vector, (2, 2))
        return -logsumexp(t.logpdf(x[:, None], np.exp(log_df), loc) - np.log(2), axis=1).sum()

    start = {"df": np.array([3.0, 6.0]), "loc": np.array([-1.0, 6.0])}
    fit = em.EM(students, accelerate=None).run(0, em.Batches(x, batch_size=SIZE), init_params=start)
    best = minimize(negative, [1.0, 1.0, 0.0, 5.0], tol=1e-10)
    assert fit.status == em.Status.CONVERGED
    np.testing.assert_allclose(fit.log_likelihood, -best.fun, atol=1e-6)
    found = np.concatenate([np.log(fit.params["df"]), fit.params["loc"]])
    np.testing.assert_allclose(found, best.x, atol=1e-3)


def test_a_step_that_would_lower_the_objective_is_tried_again_shorter(x64):
    far = NEAR | {"intercept": np.array([-6.0, -4.0]), "slope": np.array([2.0, -2.0])}
    fit = fitted(far, accelerate=None, max_steps=8)
    start = log_likelihood(np.concatenate([far[n] for n in NAMES]))
    np.testing.assert_allclose(fit.trace[0], start)  # nothing was taken yet
    assert (np.diff(fit.trace) >= 0).all()
    assert fit.trace[-1] > start + 10_000


def test_stepwise_is_refused(x64):
    with pytest.raises(ValueError, match="no sufficient statistics, which stepwise EM averages"):
        fitted(NEAR, accelerate=em.Stepwise())
