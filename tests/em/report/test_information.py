"""Scores and observed information: finite however they are compiled, and what if they are not."""

import dataclasses
import functools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import stats

from mixpyro import em, models
from mixpyro.em.classes.assignments.soft import Soft
from mixpyro.em.report import information
from mixpyro.em.report.directions import directions
from mixpyro.em.report.summary import interval
from mixpyro.em.studies.replicates import each, from_params, simulator

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


@pytest.mark.slow
def test_a_fit_without_finite_information_says_so():
    fit = without_derivatives()
    assert fit.base_status is em.Status.CONVERGED
    assert fit.status is em.Status.NO_INFORMATION
    assert not fit.status.ok
    assert "second derivatives" in fit.message
    assert all(error.mask.all() for error in fit.standard_errors().values())
    assert set(fit.summary()["note"]) == {"no finite information"}


# ---- one normal: everything in closed form ------------------------------------------------------

N = 150
HEAVY = np.random.default_rng(8).standard_t(5, N) * 2 + 1


def one_normal(x, fixed=False):
    with numpyro.plate("components", 1):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
    scale = 2.0 if fixed else numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(1)))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


@functools.cache
def normal_fit(fixed=False):
    return em.EM(one_normal).run(KEY, HEAVY, fixed=fixed)


def test_the_sandwich_of_one_normal():
    """White's variances of the mean and of the deviation: m_2 / n and (m_4 - s^4) / (4 s^2 n)."""
    fit = normal_fit()
    s2 = HEAVY.var()
    fourth = ((HEAVY - HEAVY.mean()) ** 4).mean()
    errors = fit.standard_errors("sandwich")
    assert errors["loc"][0] == pytest.approx(np.sqrt(s2 / N), rel=1e-6)
    assert float(errors["scale"]) == pytest.approx(
        np.sqrt((fourth - s2**2) / (4 * s2 * N)), rel=1e-6
    )
    observed = fit.standard_errors()
    assert float(observed["scale"]) == pytest.approx(np.sqrt(s2 / (2 * N)), rel=1e-6)
    table = fit.summary(kind="sandwich")
    assert table.loc["scale", "standard_error"] == float(errors["scale"])
    with pytest.raises(ValueError, match="'observed' or 'sandwich'"):
        fit.standard_errors("robust")


def test_wald_and_likelihood_ratio_of_one_normal():
    fit, small = normal_fit(), normal_fit(True)
    s = HEAVY.std()
    error = s / np.sqrt(2 * N)
    test = em.wald_test(fit, lambda p: p["scale"] - 2.0)
    assert test.statistic == pytest.approx(((s - 2) / error) ** 2, rel=1e-6)
    assert (test.df, test.pvalue) == (1, pytest.approx(stats.chi2.sf(test.statistic, 1)))
    both = em.wald_test(fit, lambda p: jnp.stack([p["scale"] - 2.0, p["loc"][0] - 1.0]))
    expected = test.statistic + ((HEAVY.mean() - 1) / (s / np.sqrt(N))) ** 2
    assert both.statistic == pytest.approx(expected, rel=1e-6)
    assert both.pvalue == pytest.approx(stats.chi2.sf(expected, 2), rel=1e-6)
    ratio = em.likelihood_ratio_test(small, fit)
    log_ratio = N * (np.log(2 / s) + s**2 / 8 - 0.5)
    assert ratio.statistic == pytest.approx(2 * log_ratio, rel=1e-8)
    assert (ratio.df, ratio.pvalue) == (1, pytest.approx(stats.chi2.sf(2 * log_ratio, 1)))


def test_tests_that_mean_nothing_are_refused():
    fit, small = normal_fit(), normal_fit(True)
    with pytest.raises(ValueError, match="smaller model first"):
        em.likelihood_ratio_test(fit, small)
    with pytest.raises(ValueError, match="repeat"):
        em.wald_test(fit, lambda p: jnp.stack([p["scale"] - 2, 2 * p["scale"] - 4]))
    with pytest.raises(ValueError, match="different data"):
        em.likelihood_ratio_test(em.EM(one_normal).run(KEY, HEAVY + 1, fixed=True), fit)
    with pytest.raises(ValueError, match="no finite information"):
        em.wald_test(without_derivatives(), lambda p: p["loc"][0])


def test_the_message_names_the_combination_that_is_free():
    """``loc`` and ``shift`` enter as a sum only."""

    def model(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        shift = numpyro.sample("shift", dist.Normal(0, 5))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(1)))
            numpyro.sample("x", dist.Normal(loc + 2 * shift + 0 * z, 1.0), obs=x)

    fit = em.EM(model).run(KEY, HEAVY)
    assert fit.status is em.Status.NOT_IDENTIFIED
    assert "move together: loc by +1, shift by -0.5." in fit.message


# ---- coverage, by simulation --------------------------------------------------------------------


def bernoulli(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        probs = numpyro.sample("probs", dist.Uniform(0, 1).expand([8]).to_event(1))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Bernoulli(probs[z]).to_event(1), obs=x)


def gaussian(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def regression(x, y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        slope = numpyro.sample("slope", dist.Normal(0, 5).expand([2]).to_event(1))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal((x * slope[z]).sum(-1), scale[z]), obs=y)


SHARE = {"weights": np.array([0.4, 0.6])}
COVERED = {
    "bernoulli": (
        bernoulli,
        {"probs": np.array([[0.8, 0.7, 0.75, 0.6] * 2, [0.2, 0.35, 0.3, 0.25] * 2])},
        (np.zeros((500, 8), int),),
    ),
    "gaussian": (
        gaussian,
        {"loc": np.array([-2.0, 2.0]), "scale": np.array([1.0, 1.3])},
        (np.zeros(500),),
    ),
    "regression": (
        regression,
        {"slope": np.array([[1.0, 2.0], [-1.0, -1.0]]), "scale": np.array([0.5, 0.8])},
        (np.column_stack([np.ones(400), np.linspace(-2, 2, 400)]), np.zeros(400)),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COVERED)
def test_nineteen_of_twenty_intervals_cover(name):
    """500 data sets, fitted and differentiated in one compiled call; each entry counts alone."""
    model, truth, args = COVERED[name]
    truth = {n: jnp.asarray(v) for n, v in (SHARE | truth).items()}
    # Data of the right shape to begin with; zeros would do for no fit.
    place = len(args) - 1
    sites = handlers.trace(
        handlers.seed(handlers.substitute(handlers.uncondition(model), truth), 0)
    ).get_trace(*map(jnp.asarray, args))
    first = np.asarray(sites["y" if name == "regression" else "x"]["value"])
    args = tuple(first if i == place else a for i, a in enumerate(args))
    fit = em.EM(model, max_steps=1).run(KEY, *args, init_params=truth)
    program = fit.program
    simulate = simulator(dataclasses.replace(fit, leaves=truth), program)

    def replicate(key):
        rows = simulate.draw(key, simulate.given)
        found = from_params(program, rows, truth, 2000, 1e-8)
        local = information._derivatives(program, found.params, rows)
        return found.params, found.code, local.hessian, local.jacobian

    keys = jax.random.split(jax.random.key(17), 500)
    params, code, hessian, jacobian = jax.jit(lambda k: each(program, replicate, k))(keys)
    assert np.all(np.asarray(code) == em.Status.CONVERGED)
    support = {p.name: p.constraint for p in program.structure.free}
    quantile = stats.norm.ppf(0.975)
    nothing = {n: np.zeros(v.shape, bool) for n, v in truth.items()}
    covered = {n: np.zeros(v.shape) for n, v in truth.items()}
    gram = partial(np.eye, hessian.shape[-1])
    for i in range(500):
        own = -np.asarray(hessian[i])
        found = information.Information(
            own,
            gram,
            {n: np.asarray(j[i]) for n, j in jacobian.items()},
            nothing,
            directions(own, np.zeros(len(own)), gram, gram, gram(), own.dtype),
        )
        errors = information.standard_errors(found, {n: v.shape for n, v in truth.items()})
        for n, value in truth.items():
            for index in np.ndindex(value.shape):
                low, high = interval(
                    float(params[n][i][index]), float(errors[n][index]), quantile, support[n]
                )
                covered[n][index] += low <= value[index] <= high
    rates = np.concatenate([v.ravel() for v in covered.values()]) / 500
    # Each rate has a standard error of 1%, so that an entry may be off alone, but not all of them.
    assert 0.92 <= rates.mean() <= 0.97
    assert np.all((rates >= 0.92) & (rates <= 0.98)), covered
