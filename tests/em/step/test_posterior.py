"""``objective="posterior"`` against conjugate modes, SciPy, and the model's own density."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, special, stats

from mixpyro import em

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
_rng = np.random.default_rng(4)
X = _rng.poisson(np.where(np.arange(80) < 30, 2.0, 9.0))
Z = (np.arange(80) >= 30).astype(int)
SHAPE, RATE, CONCENTRATION = 3.0, 0.5, np.array([2.0, 5.0])


def poissons(x, z=None):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.asarray(CONCENTRATION)))
    with numpyro.plate("components", 2):
        rate = numpyro.sample("rate", dist.Gamma(SHAPE, RATE))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights), obs=z)
        numpyro.sample("x", dist.Poisson(rate[z]), obs=x)


@functools.cache
def fitted():
    return em.EM(poissons, objective="posterior", num_restarts=3).run(KEY, X)


def minus_log_posterior(v):
    """v = (logit of the first weight, log rates)."""
    weights, rate = np.array([special.expit(v[0]), special.expit(-v[0])]), np.exp(v[1:])
    table = np.log(weights) + stats.poisson.logpmf(X[:, None], rate)
    prior = stats.dirichlet.logpdf(weights, CONCENTRATION)
    prior += stats.gamma.logpdf(rate, SHAPE, scale=1 / RATE).sum()
    return -special.logsumexp(table, axis=1).sum() - prior


def test_labelled_rows_give_the_conjugate_modes():
    fit = em.EM(poissons, objective="posterior").run(KEY, X, Z)
    counts = np.bincount(Z)
    mode = (counts + CONCENTRATION - 1) / (80 + CONCENTRATION.sum() - 2)
    np.testing.assert_allclose(fit.params["weights"], mode, rtol=1e-6)
    sums = np.array([X[k == Z].sum() for k in range(2)])
    np.testing.assert_allclose(fit.params["rate"], (sums + SHAPE - 1) / (counts + RATE), rtol=1e-6)


def test_the_mode_is_scipy_s():
    fit = fitted()
    assert fit.status is em.Status.CONVERGED
    order = np.argsort(fit.params["rate"])
    weights, rate = (np.asarray(fit.params[n]) for n in ("weights", "rate"))
    starts = [np.array([0.0, 0.5, 2.2]), np.array([0.0, 2.2, 0.5])]
    found = min(
        (optimize.minimize(minus_log_posterior, s, options={"gtol": 1e-8}) for s in starts),
        key=lambda r: r.fun,
    )
    assert fit.objective == pytest.approx(-found.fun, abs=1e-7)
    assert np.all(np.diff(fit.trace) >= -1e-10)
    np.testing.assert_allclose(np.sort(rate), np.sort(np.exp(found.x[1:])), rtol=1e-4)
    table = np.log(weights) + stats.poisson.logpmf(X[:, None], rate)
    assert fit.log_likelihood == pytest.approx(special.logsumexp(table, axis=1).sum(), abs=1e-9)
    plain = em.EM(poissons, num_restarts=3).run(KEY, X)
    assert fit.log_likelihood < plain.log_likelihood
    assert not np.allclose(rate[order], np.sort(plain.params["rate"]), atol=1e-3)


@pytest.mark.slow
def test_the_errors_are_those_of_the_posterior():
    """The Hessian of the log posterior by central differences, mapped to the rates."""
    fit = fitted()
    weights, rate = (np.asarray(fit.params[n]) for n in ("weights", "rate"))
    point = np.array([np.log(weights[0] / weights[1]), *np.log(rate)])
    step, eye = 1e-4, np.eye(3)
    hessian = np.array(
        [
            [
                sum(
                    a * b * minus_log_posterior(point + step * (a * eye[i] + b * eye[j]))
                    for a in (1, -1)
                    for b in (1, -1)
                )
                / (4 * step**2)
                for j in range(3)
            ]
            for i in range(3)
        ]
    )
    expected = np.sqrt(np.diagonal(np.linalg.inv(hessian)))[1:] * rate
    np.testing.assert_allclose(fit.standard_errors()["rate"], expected, rtol=1e-3)


@pytest.mark.slow
def test_a_prior_between_parameters_of_two_blocks():
    """The prior of the locations has the width of the errors: the mode is stationary for SciPy."""

    def linked(x):
        with numpyro.plate("components", 2):
            scale = numpyro.sample("scale", dist.Gamma(3.0, 2.0))
        loc = numpyro.sample("loc", dist.Normal(0, scale.sum()).expand([2]).to_event(1))
        share = numpyro.sample("share", dist.Beta(2.0, 2.0 + scale[0]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Bernoulli(share))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)

    x = np.where(np.arange(60) < 25, -3.0, 2.0) + _rng.normal(size=60)
    fit = em.EM(linked, objective="posterior", num_restarts=2).run(KEY, x)
    assert np.all(np.diff(fit.trace) >= -1e-9)

    def objective(v):
        loc, scale, share = v[:2], v[2:4], v[4]
        table = np.log([1 - share, share]) + stats.norm.logpdf(x[:, None], loc, scale)
        prior = stats.norm.logpdf(loc, 0, scale.sum()).sum() + stats.beta.logpdf(
            share, 2, 2 + scale[0]
        )
        prior += stats.gamma.logpdf(scale, 3, scale=0.5).sum()
        return special.logsumexp(table, axis=1).sum() + prior

    point = np.concatenate([np.ravel(fit.params[n]) for n in ("loc", "scale", "share")])
    assert fit.objective == pytest.approx(objective(point), abs=1e-8)
    slope = optimize.approx_fprime(point, objective, 1e-6)
    assert np.abs(slope).max() < 1e-2


@pytest.mark.slow
def test_a_posterior_fit_comes_back_from_its_file(tmp_path):
    fitted().save(tmp_path / "fit.npz")
    back = em.load(tmp_path / "fit.npz", poissons)
    assert back.program.posterior
    np.testing.assert_allclose(
        back.standard_errors()["rate"], fitted().standard_errors()["rate"], rtol=1e-9
    )
