"""Scores and observed information: finite however they are compiled, and what if they are not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em, models
from mixpyro.em.expectation import Soft

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def test_the_derivatives_survive_a_compiler_that_computes_things_twice():
    """Rounded differently the second time, no component equals the largest of them."""
    example = models.examples(models.poisson_mixture)[0]
    x = jnp.asarray(example.simulate(jax.random.key(11))["x"], float)

    def log_likelihood(log_rate):
        log_joint = x * log_rate[:, None] - jnp.exp(log_rate)[:, None]
        return Soft()(log_joint)[1].sum()

    log_rate = jnp.log(jnp.array([1.04, 29.98, 9.99]))
    slope = jax.jit(jax.grad(log_likelihood), compiler_options=QUICK)(log_rate)
    rate = np.exp(np.asarray(log_rate))[:, None]
    log_joint = np.asarray(x) * np.log(rate) - rate
    resp = np.exp(log_joint - log_joint.max(0))
    resp /= resp.sum(0)
    np.testing.assert_allclose(slope, (resp * (np.asarray(x) - rate)).sum(1), rtol=1e-8)


@functools.cache
def without_derivatives():
    """The root's derivative at 0 is infinite, and 0 times that is NaN; its value is harmless."""

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            loc = numpyro.sample("loc", dist.Normal(0, 5))
        loc = loc + 0.0 * jnp.sqrt(loc - loc)
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)

    x = np.random.default_rng(0).normal(size=60) + np.where(np.arange(60) < 25, -2, 2)
    return em.EM(model, num_restarts=2).run(KEY, x)


def test_a_fit_without_finite_information_says_so():
    fit = without_derivatives()
    assert fit.base_status is em.Status.CONVERGED
    assert fit.status is em.Status.NO_INFORMATION
    assert not fit.status.ok
    assert "second derivatives" in fit.message
    assert all(error.mask.all() for error in fit.standard_errors().values())
    assert set(fit.summary()["note"]) == {"no finite information"}
