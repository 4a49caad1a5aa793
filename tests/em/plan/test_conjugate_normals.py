"""Conjugate priors of normals in closed M-steps, against SciPy's optima."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, special, stats

from mixpyro import em, models

KEY = jax.random.key(0)
CLOSED, WITH_PRIOR = "closed form", "closed form, with the prior"
_rng = np.random.default_rng(8)

both_precisions = pytest.mark.parametrize(
    "precision", [pytest.param("float32", marks=pytest.mark.slow), "float64"], indirect=True
)


def normals(x, flat=True):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.array([3.0, 2.0])))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(jnp.array([-1.0, 1.0]), 0.5))
        prior = (
            dist.ImproperUniform(dist.constraints.positive, (), ()) if flat else dist.Gamma(2, 1)
        )
        scale = numpyro.sample("scale", prior)
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


X = np.where(np.arange(90) < 40, -2.0, 2.5) + _rng.normal(size=90) * np.where(
    np.arange(90) < 40, 1, 0.6
)


def log_posterior(v):
    """v = (logit of the first weight, locs, log scales)."""
    weights, loc, scale = special.expit([v[0], -v[0]]), v[1:3], np.exp(v[3:])
    table = np.log(weights) + stats.norm.logpdf(X[:, None], loc, scale)
    prior = stats.dirichlet.logpdf(weights, [3, 2]) + stats.norm.logpdf(loc, [-1, 1], 0.5).sum()
    return special.logsumexp(table, axis=1).sum() + prior


@both_precisions
def test_a_normal_prior_of_locations_beside_free_scales(precision):
    fit = em.EM(normals, objective="posterior", num_restarts=4).run(KEY, X.astype(precision))
    assert fit.status is em.Status.CONVERGED
    assert {b.parameters: b.m_step for b in fit.spec.blocks} == {
        ("weights",): WITH_PRIOR,
        ("loc", "scale"): WITH_PRIOR,
    }
    starts = ([0.0, -2, 2, 0, 0], [0.0, 2, -2, 0, 0])
    found = min(
        (optimize.minimize(lambda v: -log_posterior(v), s) for s in starts), key=lambda r: r.fun
    )
    single = precision == jnp.float32
    rounding = 1e-3 if single else 1e-7
    assert fit.objective == pytest.approx(-found.fun, abs=rounding)
    assert np.all(np.diff(fit.trace) >= -(1e-3 if single else 1e-9))
    rtol = 2e-3 if single else 1e-4
    np.testing.assert_allclose(fit.params["loc"], found.x[1:3], rtol=rtol)
    np.testing.assert_allclose(fit.params["scale"], np.exp(found.x[3:]), rtol=rtol)


@pytest.mark.slow
def test_a_prior_that_is_not_conjugate_keeps_its_block_numeric(x64):
    fit = em.EM(normals, objective="posterior", num_restarts=2).run(KEY, X, flat=False)
    rungs = {b.parameters: b.m_step for b in fit.spec.blocks}
    assert rungs[("loc", "scale")] == "numeric with the prior, from the estimate without it"
    assert not fit.spec.closed_form


def test_flat_priors_change_no_rung(x64):
    """A uniform prior of a probability is the likelihood's own M-step, and its optimum."""

    def coins(x):
        with numpyro.plate("components", 2):
            probs = numpyro.sample("probs", dist.Uniform(0.0, 1.0))
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(jnp.array([0.4, 0.6])))
            numpyro.sample("x", dist.Binomial(8, probs[z]), obs=x)

    x = _rng.binomial(8, np.where(np.arange(50) < 20, 0.2, 0.7))
    fits = [
        em.EM(coins, objective=o, num_restarts=2).run(KEY, x) for o in ("likelihood", "posterior")
    ]
    assert [f.spec.blocks[0].m_step for f in fits] == [CLOSED, CLOSED]
    np.testing.assert_allclose(fits[0].params["probs"], fits[1].params["probs"], rtol=1e-12)
    assert fits[0].objective == pytest.approx(fits[1].objective, abs=1e-9)  # the density is 1


ROWS = np.vstack(
    [_rng.normal([-2, 0], 1, (50, 2)), _rng.normal([2, 1], 1.4, (70, 2)) @ [[1, 0.5], [0, 1]]]
)


def unpack(v):
    factor = np.zeros((2, 2, 2))
    factor[:, [0, 1, 1], [0, 0, 1]] = v[5:].reshape(2, 3)
    return special.expit([v[0], -v[0]]), v[1:5].reshape(2, 2), factor @ factor.transpose(0, 2, 1)


@pytest.mark.parametrize("covariance", ["full", pytest.param("tied", marks=pytest.mark.slow)])
def test_the_priors_of_gaussian_mixture_are_taken_in(covariance, x64):
    """Normal locs and inverse Wishart covariances: SciPy finds nothing higher."""
    fit = em.EM(models.gaussian_mixture, objective="posterior", num_restarts=2).run(
        KEY, ROWS, num_components=2, covariance=covariance, weights_concentration=3.0
    )
    assert fit.status is em.Status.CONVERGED
    assert {b.m_step for b in fit.spec.blocks} == {WITH_PRIOR}
    assert np.all(np.diff(fit.trace) >= -1e-9)
    low, high = ROWS.min(0), ROWS.max(0)
    matrix_prior = stats.invwishart(5, 0.04 * np.diag((high - low) ** 2))

    def density(v):
        weights, loc, matrices = unpack(v)
        if covariance == "tied":
            matrices = matrices[[0, 0]]
        terms = [
            stats.multivariate_normal.logpdf(ROWS, m, c) for m, c in zip(loc, matrices, strict=True)
        ]
        prior = stats.norm.logpdf(loc, (low + high) / 2, high - low).sum()
        prior += stats.dirichlet.logpdf(weights, [3, 3])
        prior += sum(matrix_prior.logpdf(c) for c in matrices[: 1 if covariance == "tied" else 2])
        return special.logsumexp(np.stack(terms, 1) + np.log(weights), axis=1).sum() + prior

    weights = np.asarray(fit.params["weights"])
    matrices = np.broadcast_to(fit.params["covariance_matrix"], (2, 2, 2))
    factor = np.linalg.cholesky(matrices)[:, [0, 1, 1], [0, 0, 1]]
    point = np.concatenate(
        [[np.log(weights[0] / weights[1])], np.ravel(fit.params["loc"]), factor.ravel()]
    )
    assert fit.objective == pytest.approx(density(point), abs=1e-7)
    found = optimize.minimize(lambda v: -density(v), point)
    assert -found.fun < fit.objective + 1e-6
    assert np.abs(optimize.approx_fprime(point, density, 1e-6)).max() < 1e-2
