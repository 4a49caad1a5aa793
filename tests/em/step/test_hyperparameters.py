"""``objective="posterior"`` where priors have parameters, or families work on the rows."""

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
_rng = np.random.default_rng(6)
LOCS = np.array([-4.0, 0.0, 5.0])
X = LOCS[np.arange(120) % 3] + 0.6 * _rng.normal(size=120)


def hierarchical(x):
    mu0 = numpyro.sample("mu0", dist.Normal(0.0, 10.0))
    tau = numpyro.sample("tau", dist.Gamma(4.0, 1.0))
    loc = numpyro.sample("loc", dist.Normal(mu0, tau).expand([3]).to_event(1))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(3) / 3))
        numpyro.sample("x", dist.Normal(loc[z], 0.6), obs=x)


def log_posterior(v):
    """v = (mu0, log tau, locs)."""
    mu0, tau, loc = v[0], np.exp(v[1]), v[2:]
    table = stats.norm.logpdf(X[:, None], loc, 0.6) - np.log(3)
    prior = stats.norm.logpdf(mu0, 0, 10) + stats.gamma.logpdf(tau, 4)
    return special.logsumexp(table, axis=1).sum() + prior + stats.norm.logpdf(loc, mu0, tau).sum()


def test_hyperparameters_are_fitted_with_what_they_rule():
    fit = em.EM(hierarchical, objective="posterior", num_restarts=4).run(KEY, X)
    assert fit.status is em.Status.CONVERGED
    assert {b.parameters: b.m_step for b in fit.spec.blocks} == {
        ("loc",): "closed form, with the prior",
        ("mu0", "tau"): "numeric, on priors",
    }
    assert np.all(np.diff(fit.trace) >= -1e-9)
    found = optimize.minimize(lambda v: -log_posterior(v), [0.0, 1.0, *LOCS])
    assert fit.objective == pytest.approx(-found.fun, abs=1e-7)
    assert fit.params["mu0"] == pytest.approx(found.x[0], abs=1e-3)
    assert fit.params["tau"] == pytest.approx(np.exp(found.x[1]), rel=1e-3)
    np.testing.assert_allclose(np.sort(fit.params["loc"]), np.sort(found.x[2:]), atol=1e-4)
    # The likelihood has no dimension for them; new rows are scored all the same.
    assert fit.num_free_params == 3
    expected = special.logsumexp(
        stats.norm.logpdf([[0.5]], fit.params["loc"], 0.6) - np.log(3), axis=1
    )
    np.testing.assert_allclose(fit.log_prob(jnp.array([0.5, 0.5, 0.5]))[0], expected[0])


def test_under_the_likelihood_they_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"'mu0'.*objective='posterior' if it enters the priors"):
        em.EM(hierarchical).run(KEY, X)


def test_a_parameter_that_no_prior_leads_to_the_data_is_refused():
    def idle(x):
        top = numpyro.sample("top", dist.Normal(0.0, 1.0))
        numpyro.sample("unused", dist.Normal(top, 1.0))
        hierarchical(x)

    with pytest.raises(ValueError, match=r"likelihood does not reach the parameter '(top|unused)'"):
        em.EM(idle, objective="posterior").run(KEY, X)


@pytest.mark.slow
def test_priors_of_priors_and_hyperparameters_of_several_blocks():
    """A shared shape rules rates and weights, and has a prior with a parameter itself."""

    def deep(x):
        top = numpyro.sample("top", dist.Gamma(3.0, 1.0))
        shape = numpyro.sample("shape", dist.Gamma(4.0, top))
        weights = numpyro.sample("weights", dist.Dirichlet((1 + shape) * jnp.ones(2)))
        rate = numpyro.sample("rate", dist.Gamma(1 + shape, 0.3).expand([2]).to_event(1))
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Poisson(rate[z]), obs=x)

    x = _rng.poisson(np.where(np.arange(70) < 30, 2.0, 9.0))
    fit = em.EM(deep, objective="posterior", num_restarts=3).run(KEY, x)
    assert fit.status is em.Status.CONVERGED
    assert {b.m_step for b in fit.spec.blocks[:2]} == {"closed form, with the prior"}
    assert np.all(np.diff(fit.trace) >= -1e-9)

    def density(v):
        top, shape, rate = np.exp(v[0]), np.exp(v[1]), np.exp(v[3:])
        weights = special.expit([v[2], -v[2]])
        table = np.log(weights) + stats.poisson.logpmf(x[:, None], rate)
        prior = stats.gamma.logpdf(top, 3) + stats.gamma.logpdf(shape, 4, scale=1 / top)
        prior += stats.dirichlet.logpdf(weights, (1 + shape) * np.ones(2))
        prior += stats.gamma.logpdf(rate, 1 + shape, scale=1 / 0.3).sum()
        return special.logsumexp(table, axis=1).sum() + prior

    starts = [np.array([0.0, 0.5, 0.0, *np.log(r)]) for r in ([2, 9], [9, 2])]
    found = min((optimize.minimize(lambda v: -density(v), s) for s in starts), key=lambda r: r.fun)
    assert fit.objective == pytest.approx(-found.fun, abs=1e-6)
    assert fit.params["top"] == pytest.approx(np.exp(found.x[0]), rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("accelerate", [None, "quasi-newton"])
def test_a_scale_of_equal_values_runs_to_zero(accelerate):
    """One group of rows: the locations meet, and the density of their scale has no bound."""

    def funnel(x):
        tau = numpyro.sample("tau", dist.HalfNormal(1.0))
        loc = numpyro.sample("loc", dist.Normal(0.0, tau).expand([2, 4]).to_event(2))
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            numpyro.sample("x", dist.Normal(loc[z], 1.0).to_event(1), obs=x)

    x = 0.9 * _rng.normal(size=(80, 4))
    fitter = em.EM(funnel, objective="posterior", num_restarts=2, accelerate=accelerate)
    fit = fitter.run(KEY, x)
    assert fit.status is em.Status.NO_MODE
    assert "faster than any power" in fit.message


# ---- families that work on the rows ------------------------------------------------------------


def students(x):
    weights = numpyro.sample("weights", dist.Dirichlet(2 * jnp.ones(2)))
    with numpyro.plate("components", 2):
        df = numpyro.sample("df", dist.Gamma(3.0, 0.5))
        loc = numpyro.sample("loc", dist.Normal(0.0, 2.0))
        scale = numpyro.sample("scale", dist.LogNormal(0.0, 0.3))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.StudentT(df[z], loc[z], scale[z]), obs=x)


def student_rows(x, v):
    df, loc, scale = np.exp(v[:2]), v[2:4], np.exp(v[4:])
    prior = stats.gamma.logpdf(df, 3, scale=2).sum() + stats.norm.logpdf(loc, 0, 2).sum()
    return stats.t.logpdf(x, df, loc, scale), prior + stats.lognorm.logpdf(scale, 0.3).sum()


def weibulls(x):
    weights = numpyro.sample("weights", dist.Dirichlet(2 * jnp.ones(2)))
    with numpyro.plate("components", 2):
        scale = numpyro.sample("scale", dist.Gamma(3.0, 0.5))
        shape = numpyro.sample("concentration", dist.Gamma(4.0, 2.0))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Weibull(scale[z], shape[z]), obs=x)


def weibull_rows(x, v):
    scale, shape = np.exp(v[:2]), np.exp(v[2:])
    prior = (
        stats.gamma.logpdf(scale, 3, scale=2).sum() + stats.gamma.logpdf(shape, 4, scale=0.5).sum()
    )
    return stats.weibull_min.logpdf(x, shape, scale=scale), prior


def negative_binomials(x):
    weights = numpyro.sample("weights", dist.Dirichlet(2 * jnp.ones(2)))
    with numpyro.plate("components", 2):
        probs = numpyro.sample("probs", dist.Beta(2.0, 3.0))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.NegativeBinomialProbs(4.0, probs[z]), obs=x)


def negative_binomial_rows(x, v):
    probs = np.exp(v)
    return stats.nbinom.logpmf(x, 4, 1 - probs), stats.beta.logpdf(probs, 2, 3).sum()


HALF = np.arange(100) < 45
ROW_CASES = {
    "StudentT": (
        students,
        student_rows,
        np.where(HALF, -3.0, 2.0) + 0.7 * _rng.standard_t(4, 100),
        ("df", "loc", "scale"),
    ),
    "Weibull": (
        weibulls,
        weibull_rows,
        np.where(HALF, 1.0, 8.0) * _rng.weibull(np.where(HALF, 2.0, 4.0)),
        ("scale", "concentration"),
    ),
    "NegativeBinomial": (
        negative_binomials,
        negative_binomial_rows,
        _rng.negative_binomial(4, np.where(HALF, 0.8, 0.3)),
        ("probs",),
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        "Weibull",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("StudentT", "NegativeBinomial")),
    ],
)
def test_families_on_the_rows_take_priors(name):
    model, rows, x, names = ROW_CASES[name]
    fit = em.EM(model, objective="posterior", num_restarts=3).run(KEY, x)
    assert fit.status is em.Status.CONVERGED
    assert np.all(np.diff(fit.trace) >= -1e-9)

    def density(v):
        weights = special.expit([v[0], -v[0]])
        table, prior = rows(x[:, None], v[1:])
        prior += stats.dirichlet.logpdf(weights, [2, 2])
        return special.logsumexp(table + np.log(weights), axis=1).sum() + prior

    weights = np.asarray(fit.params["weights"])
    values = [np.asarray(fit.params[n]) for n in names]
    values = [v if n == "loc" else np.log(v) for n, v in zip(names, values, strict=True)]
    point = np.concatenate([[np.log(weights[0] / weights[1])], *values])
    assert fit.objective == pytest.approx(density(point), abs=1e-7)
    found = optimize.minimize(lambda v: -density(v), point)
    assert -found.fun < fit.objective + 1e-6
    assert np.abs(optimize.approx_fprime(point, density, 1e-6)).max() < 1e-2


@pytest.mark.parametrize("name", ["Laplace", "Uniform"])
def test_a_density_with_corners_takes_no_prior(name):
    """Newton's method would stop at a corner, and call it the mode."""

    def corners(x):
        with numpyro.plate("components", 2):
            a = numpyro.sample("a", dist.Normal(0.0, 1.0))
            b = numpyro.sample(
                "b", dist.LogNormal(0, 1) if name == "Laplace" else dist.Normal(5, 1)
            )
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            numpyro.sample("x", getattr(dist, name)(a[z], b[z]), obs=x)

    with pytest.raises(ValueError, match=f"'x'.*{name}.*objective='likelihood'"):
        em.EM(corners, objective="posterior").run(KEY, X)
