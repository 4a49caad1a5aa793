"""Models with a class at the edge go the whole way; a fit without a density goes nowhere."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import expit

from mixpyro import em, inference

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
TRIALS = 5
MOST = 20


def occupancy(y, trials):
    psi = numpyro.sample("psi", dist.Beta(1, 1))
    p = numpyro.sample("p", dist.Beta(1, 1))
    with numpyro.plate("sites", y.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(psi))
        numpyro.sample("y", dist.Binomial(trials, p * z), obs=y)


def abundance(y, x):
    """N animals live at a site, of which each visit counts some; N < y is impossible."""
    rate = numpyro.sample("rate", dist.Gamma(4, 1))
    slope = numpyro.sample("slope", dist.Normal(0, 2).expand([2]).to_event(1))
    log_weights = dist.Poisson(rate).log_prob(jnp.arange(MOST + 1))
    with numpyro.plate("sites", y.shape[0], dim=-2):
        animals = numpyro.sample("animals", dist.Categorical(logits=log_weights))
        with numpyro.plate("visits", y.shape[1], dim=-1):
            chance = jax.nn.sigmoid(slope[0] + slope[1] * x)
            numpyro.sample("y", dist.Binomial(animals, chance), obs=y)


@functools.cache
def seen():
    rng = np.random.default_rng(0)
    return rng.binomial(TRIALS, 0.4 * (rng.random(150) < 0.6))


@functools.cache
def occupied():
    return em.EM(occupancy, num_restarts=2).run(KEY, jnp.asarray(seen()), TRIALS)


def exact():
    """Posterior means of psi and p under uniform priors, on a grid."""
    y = seen()
    grid = (np.arange(400) + 0.5) / 400
    psi, p = grid[:, None], grid[None, :]
    log_density = np.zeros((400, 400))
    for count, times in zip(*np.unique(y, return_counts=True), strict=True):
        f = stats.binom.pmf(count, TRIALS, p)
        log_density += times * np.log(psi * f + (1 - psi) * (count == 0))
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    return {"psi": (weight * psi).sum(), "p": (weight * p).sum()}


@pytest.mark.slow
def test_occupancy_goes_the_whole_way():
    fit = occupied()
    nuts = inference.run_nuts(fit, jax.random.key(1), num_warmup=200, num_samples=500, num_chains=2)
    svi = inference.run_svi(fit, jax.random.key(2), num_steps=500)
    laplace = inference.run_laplace(fit, jax.random.key(3))
    for tree in (nuts, svi, laplace):
        for name, mean in exact().items():
            error = float(fit.standard_errors()[name])
            assert float(tree.posterior[name].mean()) == pytest.approx(mean, abs=0.15 * error)
            assert float(tree.posterior[name].std()) == pytest.approx(error, rel=0.15)
    report = inference.cross_check(fit, nuts=nuts, svi=svi)
    assert report.agrees, report.table


@pytest.mark.slow
def test_an_abundance_that_is_too_small_is_impossible_and_no_more():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 3))
    y = rng.binomial(rng.poisson(4, 50)[:, None], expit(-0.2 + 0.7 * x))
    fit = em.EM(abundance, num_restarts=2).run(KEY, jnp.asarray(y), jnp.asarray(x))
    assert fit.status.ok, fit.message

    def log_likelihood(rate, a, b):
        animals = np.arange(MOST + 1)
        weights = stats.poisson.pmf(animals, rate)
        f = stats.binom.pmf(y[..., None], animals, expit(a + b * x)[..., None]).prod(1)
        return np.log(f @ (weights / weights.sum())).sum()

    estimate = [float(fit.params["rate"]), *np.asarray(fit.params["slope"])]
    assert fit.log_likelihood == pytest.approx(log_likelihood(*estimate), rel=1e-10)
    resp = np.asarray(fit.responsibilities())
    assert (resp[np.arange(MOST + 1) < y.max(1)[:, None]] == 0).all()
    assert np.isfinite(np.concatenate([np.ravel(e) for e in fit.standard_errors().values()])).all()
    nuts = inference.run_nuts(fit, jax.random.key(1), num_warmup=200, num_samples=200, num_chains=1)
    assert np.isfinite(nuts.posterior["rate"]).all()


@functools.cache
def impossible():
    """Every component gives the row at 3 the density 0."""

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            p = numpyro.sample("p", dist.Beta(1, 1))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Bernoulli(p[z]), obs=(x > 0).astype(int))
            numpyro.factor("cut", jnp.where((x > 2) & (z >= 0), -jnp.inf, 0.0))

    x = jnp.asarray([0.0, 1.0] * 10 + [3.0])
    return em.EM(model, num_restarts=2).run(KEY, x)


@pytest.mark.parametrize(
    "run", [inference.run_nuts, inference.run_svi, inference.run_laplace], ids=lambda r: r.__name__
)
def test_a_fit_without_a_finite_density_is_refused(run):
    fit = impossible()
    assert fit.status is em.Status.NOT_FINITE
    with pytest.raises(ValueError, match="no finite log density"):
        run(fit, KEY)
