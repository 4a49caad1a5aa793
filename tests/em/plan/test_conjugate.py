"""Conjugate priors in closed M-steps: textbook modes, boundaries, and all else a model may say."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import optimize, special, stats

from mixpyro import em

KEY = jax.random.key(0)
N = 60
CLOSED, WITH_PRIOR = "closed form", "closed form, with the prior"
_rng = np.random.default_rng(8)
Z = (np.arange(N) >= 25).astype(int)
DATA = {
    "bits": _rng.binomial(1, np.array([[0.2, 0.7], [0.9, 0.4]])[Z]),
    "heads": _rng.binomial(5, np.array([0.3, 0.6])[Z]),
    "failures": _rng.geometric(np.array([0.2, 0.5])[Z]) - 1,
    "letter": np.array(
        [_rng.choice(3, p=p) for p in np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])[Z]]
    ),
    "votes": np.array([_rng.multinomial(4, p) for p in np.array([[0.2, 0.8], [0.7, 0.3]])[Z]]),
    "count": _rng.poisson(np.array([2.0, 6.0])[Z]),
    "wait": _rng.exponential(1 / np.array([0.5, 2.0])[Z]),
    "level": _rng.normal(np.array([-1.0, 3.0])[Z], 0.8),
}

both_precisions = pytest.mark.parametrize(
    "precision", [pytest.param("float32", marks=pytest.mark.slow), "float64"], indirect=True
)


def everything(data, z=None):
    """Each conjugate pair once: by component, shared, of another scale, and by a latent class."""
    share = numpyro.sample("share", dist.Beta(2.0, 3.0))
    with numpyro.plate("components", 2):
        bits = numpyro.sample("p_bits", dist.Beta(2.0, jnp.array([3.0, 1.5])).to_event(1))
        heads = numpyro.sample("p_heads", dist.Beta(1.5, 2.5))
        letter = numpyro.sample("p_letter", dist.Dirichlet(jnp.array([2.0, 1.0, 3.0])))
        votes = numpyro.sample("p_votes", dist.Dirichlet(jnp.array([1.5, 4.0])))
        with handlers.scale(scale=2.0):
            count = numpyro.sample("r_count", dist.Gamma(3.0, 0.5))
        level = numpyro.sample("loc", dist.Normal(0.5, 0.3))
    failures = numpyro.sample("p_failures", dist.Beta(2.0, 2.0))
    wait = numpyro.sample("r_wait", dist.Exponential(4.0))
    with numpyro.plate("rows", N):
        z = numpyro.sample("z", dist.Bernoulli(share), obs=z)
        numpyro.sample("bits", dist.Bernoulli(bits[z]).to_event(1), obs=data["bits"])
        numpyro.sample("heads", dist.Binomial(5, heads[z]), obs=data["heads"])
        numpyro.sample("failures", dist.GeometricProbs(failures), obs=data["failures"])
        numpyro.sample("letter", dist.Categorical(letter[z]), obs=data["letter"])
        numpyro.sample("votes", dist.Multinomial(4, votes[z]), obs=data["votes"])
        numpyro.sample("count", dist.Poisson(count[z]), obs=data["count"])
        numpyro.sample("wait", dist.Exponential(wait), obs=data["wait"])
        numpyro.sample("level", dist.Normal(level[z], 0.8), obs=data["level"])


def beta_mode(successes, trials, a, b):
    return (successes + a - 1) / (trials + a + b - 2)


def modes(z):
    """The modes of the posterior given the classes, by the textbook (Gelman et al. 2013, BDA)."""
    of = [z == 0, z == 1]
    n = np.array([rows.sum() for rows in of])
    totals = {name: np.stack([DATA[name][rows].sum(0) for rows in of]) for name in DATA}
    letters = np.stack([np.bincount(DATA["letter"][rows], minlength=3) for rows in of])
    letters = letters + np.array([1.0, 0.0, 2.0])
    votes = totals["votes"] + np.array([0.5, 3.0])
    precision = n / 0.8**2 + 1 / 0.3**2
    return {
        "share": beta_mode(n[1], N, 2, 3),
        "p_bits": beta_mode(totals["bits"], n[:, None], 2, np.array([3.0, 1.5])),
        "p_heads": beta_mode(totals["heads"], 5 * n, 1.5, 2.5),
        "p_failures": beta_mode(N, N + DATA["failures"].sum(), 2, 2),
        "p_letter": letters / letters.sum(1, keepdims=True),
        "p_votes": votes / votes.sum(1, keepdims=True),
        # A prior under a scale of 2 counts twice: Gamma(5, 1).
        "r_count": (totals["count"] + 4) / (n + 1),
        "r_wait": N / (DATA["wait"].sum() + 4),
        "loc": (totals["level"] / 0.8**2 + 0.5 / 0.3**2) / precision,
    }


@both_precisions
def test_labelled_rows_give_the_textbook_modes(precision):
    fit = em.EM(everything, objective="posterior").run(KEY, DATA, Z)
    assert fit.status is em.Status.CONVERGED
    assert {b.m_step for b in fit.spec.blocks} == {WITH_PRIOR}
    assert fit.spec.closed_form
    for name, mode in modes(Z).items():
        np.testing.assert_allclose(fit.params[name], mode, rtol=2e-6, err_msg=name)


@pytest.mark.slow
def test_hard_assignment_ends_at_the_modes_of_its_own_classes(x64):
    fit = em.EM(everything, objective="posterior", assign="hard", num_restarts=3).run(KEY, DATA)
    assert fit.status is em.Status.CONVERGED
    assert np.all(np.diff(fit.trace) >= -1e-9)
    for name, mode in modes(np.asarray(fit.labels)).items():
        np.testing.assert_allclose(fit.params[name], mode, rtol=1e-9, err_msg=name)


# ---- boundaries --------------------------------------------------------------------------------


def poissons(x, concentration, shape):
    weights = numpyro.sample("weights", dist.Dirichlet(concentration * jnp.ones(2)))
    with numpyro.plate("components", 2):
        rate = numpyro.sample("rate", dist.Gamma(shape, 0.1))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Poisson(rate[z]), obs=x)


COUNTS = np.where(np.arange(60) < 30, 0, 5 + _rng.poisson(3.0, 60))


@functools.cache
def bounded(concentration, shape):
    start = {"weights": np.array([0.5, 0.5]), "rate": np.array([1e-8, 7.0])}
    fitter = em.EM(poissons, objective="posterior")
    return fitter.run(KEY, COUNTS, concentration, shape, init_params=start)


def test_a_mode_at_the_boundary_is_found_and_named(x64):
    """Counts of 0 alone under Gamma(1, b): the density is finite at a rate of 0, and highest."""
    fit = bounded(1.0, 1.0)
    assert fit.status is em.Status.CONVERGED
    assert fit.params["rate"][0] == 0
    assert "rate[0]" in fit.message
    weights, rate = np.asarray(fit.params["weights"]), np.asarray(fit.params["rate"])
    table = np.log(weights) + stats.poisson.logpmf(COUNTS[:, None], rate)
    expected = special.logsumexp(table, axis=1).sum() + stats.gamma.logpdf(rate, 1, scale=10).sum()
    assert fit.objective == pytest.approx(expected, abs=1e-9)
    assert np.all(np.diff(fit.trace) >= -1e-9)


def test_a_density_that_is_infinite_at_the_boundary_has_no_mode(x64):
    """Under Gamma(1/2, b) the density at a rate of 0 is infinite, and counts of 0 lead there."""
    fit = bounded(1.0, 0.5)
    assert fit.status is em.Status.NO_MODE
    assert "concentration of 1 or more" in fit.message
    assert fit.params["rate"][0] == 0


@pytest.mark.slow
def test_one_component_too_many_under_a_sparse_dirichlet(x64):
    """Its rows are worth less than the prior takes: annihilated (Figueiredo & Jain 2002)."""
    x = _rng.poisson(5.0, 40)
    start = {"weights": np.array([0.995, 0.005]), "rate": np.array([5.0, 6.0])}
    fit = em.EM(poissons, objective="posterior").run(KEY, x, 0.5, 2.0, init_params=start)
    assert fit.status is em.Status.NO_MODE
    np.testing.assert_allclose(fit.params["weights"], [1, 0], atol=1e-12)
    assert fit.params["weights"][1] == 0
    assert np.all(np.isfinite(fit.params["rate"]))


# ---- with all else that a model may say ----------------------------------------------------------


def grouped(x, y):
    """A class for each group of rows, row weights, a shared loc, a scale without a prior."""
    weights = numpyro.sample("weights", dist.Dirichlet(3 * jnp.ones(2)))
    loc = numpyro.sample("loc", dist.Normal(jnp.array([-1.0, 1.0]), 0.3).to_event(1))
    scale = numpyro.param("scale", 1.0, constraint=dist.constraints.positive)
    shared = numpyro.sample("shared", dist.Normal(0.0, 0.2))
    rate = numpyro.sample("rate", dist.Gamma(jnp.array([3.0, 4.0]), 2.0).to_event(1))
    with numpyro.plate("groups", 30), handlers.scale(scale=1.0 + (jnp.arange(30) < 10)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Poisson(rate[z]), obs=y)
        numpyro.sample("half", dist.Normal(shared, 1.0), obs=y / 2)
        with numpyro.plate("rows", 5, dim=-2):
            numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


@pytest.mark.slow
@pytest.mark.parametrize("accelerate", [None, "quasi-newton"])
def test_groups_weights_gaps_and_ties(accelerate, x64):
    """SciPy's density of the whole, gaps left out, has no slope at the fit."""
    z = np.arange(30) % 2
    x = np.array([-2.0, 2.0])[z] + np.random.default_rng(1).normal(size=(5, 30))
    x[0, ::3] = np.nan
    y = np.random.default_rng(2).poisson(np.array([3.0, 6.0])[z])
    fitter = em.EM(grouped, objective="posterior", num_restarts=3, accelerate=accelerate)
    fit = fitter.run(KEY, x, y)
    assert fit.status is em.Status.CONVERGED
    assert {b.m_step for b in fit.spec.blocks} == {WITH_PRIOR}
    assert np.all(np.diff(fit.trace) >= -1e-9)
    row_weights = 1.0 + (np.arange(30) < 10)

    def density(v):
        weights, loc, scale = special.expit([v[0], -v[0]]), v[1:3], np.exp(v[3])
        shared, rate = v[4], np.exp(v[5:])
        table = np.log(weights) + stats.poisson.logpmf(y[:, None], rate)
        table += np.nan_to_num(stats.norm.logpdf(x[..., None], loc, scale)).sum(0)
        by_group = special.logsumexp(table, axis=1) + stats.norm.logpdf(y / 2, shared)
        prior = stats.dirichlet.logpdf(weights, [3, 3]) + stats.norm.logpdf(shared, 0, 0.2)
        prior += stats.norm.logpdf(loc, [-1, 1], 0.3).sum()
        prior += stats.gamma.logpdf(rate, [3, 4], scale=0.5).sum()
        return row_weights @ by_group + prior

    params = {n: np.asarray(v) for n, v in fit.params.items()}
    weights = np.log(params["weights"][0] / params["weights"][1])
    logs = np.log(params["scale"]), params["shared"], *np.log(params["rate"])
    point = np.array([weights, *params["loc"], *logs])
    assert fit.objective == pytest.approx(density(point), abs=1e-7)
    assert np.abs(optimize.approx_fprime(point, density, 1e-6)).max() < 1e-2
