"""Distributions without an M-step of their own, against SciPy's optimum of the same likelihood."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, special, stats

from mixpyro import em


def best(negative, *starts):
    """The lowest value of a function that SciPy finds."""
    runs = [optimize.minimize(negative, s, method="BFGS", options={"gtol": 1e-6}) for s in starts]
    return min(runs, key=lambda run: run.fun)


def mixed(log_weight, *columns):
    """Minus the log-likelihood of two components, the first of logit weight ``log_weight``."""
    weights = special.expit([log_weight, -log_weight])
    return -special.logsumexp(np.stack(columns, 1), 1, b=weights).sum()


@pytest.mark.slow
def test_zero_inflation_as_a_fixed_component(x64):
    """A rate of 0 beside a free one: the estimate is that of a zero-inflated Poisson."""
    rng = np.random.default_rng(0)
    x = rng.poisson(3, 300) * (rng.random(300) < 0.7)

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        rate = numpyro.sample("rate", dist.Gamma(1, 1))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Poisson(jnp.stack([jnp.zeros(()), rate])[z]), obs=x)

    def negative(u):
        with np.errstate(divide="ignore"):
            return mixed(u[0], stats.poisson.logpmf(x, 0), stats.poisson.logpmf(x, np.exp(u[1])))

    fit = em.EM(model).run(jax.random.key(0), x)
    found = best(negative, [0.0, 1.0])
    assert fit.status is em.Status.CONVERGED
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-6)
    assert float(fit.params["rate"]) == pytest.approx(np.exp(found.x[1]), rel=1e-4)
    # The mean of the positive counts, and the share of zeros, are those of the model.
    rate = float(fit.params["rate"])
    assert rate / -np.expm1(-rate) == pytest.approx(x[x > 0].mean(), rel=1e-6)


@pytest.mark.slow
def test_truncated_normals(x64):
    rng = np.random.default_rng(1)
    draws = np.concatenate([rng.normal(0.5, 1.0, 600), rng.normal(6.0, 1.5, 400)])
    x = draws[draws > 0]

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            loc = numpyro.sample("loc", dist.Normal(0, 5))
            scale = numpyro.sample("scale", dist.HalfNormal(5))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.TruncatedNormal(loc[z], scale[z], low=0.0), obs=x)

    def negative(u):
        w, *rest = u
        columns = [
            stats.truncnorm.logpdf(x, -m / np.exp(s), np.inf, m, np.exp(s))
            for m, s in zip(rest[:2], rest[2:], strict=True)
        ]
        return mixed(w, *columns)

    fit = em.EM(model, num_restarts=2).run(jax.random.key(0), x)
    found = best(negative, [0.0, 0.5, 6.0, 0.0, 0.5])
    assert fit.status is em.Status.CONVERGED
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-5)
    np.testing.assert_allclose(np.sort(fit.params["loc"]), np.sort(found.x[1:3]), atol=2e-3)


@pytest.mark.slow
def test_censored_lifetimes(x64):
    """Exponential lifetimes of two kinds, of which the longer ones are cut off at 8."""
    rng = np.random.default_rng(2)
    life = np.concatenate([rng.exponential(1.0, 400), rng.exponential(9.0, 400)])
    time, cut = np.minimum(life, 8.0), (life > 8.0).astype(int)

    def model(time, cut):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            rate = numpyro.sample("rate", dist.Gamma(1, 1))
        with numpyro.plate("rows", time.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            lifetime = dist.RightCensoredDistribution(dist.Exponential(rate[z]), cut)
            numpyro.sample("time", lifetime, obs=time)

    def negative(u):
        rates = np.exp(u[1:])
        return mixed(u[0], *((1 - cut) * np.log(r) - r * time for r in rates))

    fit = em.EM(model, num_restarts=2).run(jax.random.key(0), time, cut)
    found = best(negative, [0.0, 0.0, -2.0])
    assert fit.status is em.Status.CONVERGED
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-5)
    np.testing.assert_allclose(np.sort(fit.params["rate"]), np.sort(np.exp(found.x[1:])), rtol=2e-3)


@pytest.mark.slow
def test_a_point_mass_beside_a_density(x64):
    """Exact zeros among lognormal amounts: a Delta observed for which rows are zero."""
    rng = np.random.default_rng(3)
    x = np.where(rng.random(300) < 0.3, 0.0, rng.lognormal(1.0, 0.5, 300))

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(5))
        positive = x > 0
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            # z = 0 is the point: its rows are the zeros, and they have no amount.
            numpyro.sample("zero", dist.Delta(z == 1), obs=positive)
            amount = dist.LogNormal(loc, scale).mask(positive)
            numpyro.sample("amount", amount, obs=jnp.where(positive, x, 1.0))

    fit = em.EM(model).run(jax.random.key(0), x)
    log_x = np.log(x[x > 0])
    share = (x > 0).mean()
    assert float(fit.params["weights"][1]) == pytest.approx(share, rel=1e-9)
    assert float(fit.params["loc"]) == pytest.approx(log_x.mean(), rel=1e-8)
    assert float(fit.params["scale"]) == pytest.approx(log_x.std(), rel=1e-8)
    density = stats.norm.logpdf(log_x, log_x.mean(), log_x.std()) - log_x
    expected = len(log_x) * np.log(share) + (x == 0).sum() * np.log1p(-share) + density.sum()
    assert fit.log_likelihood == pytest.approx(expected, rel=1e-10)
