"""Accelerated EM: the same optimum in a fraction of the steps, never going down."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, special, stats

from mixpyro import em, models
from mixpyro.em.machine.by_numpy.interpret import interpreted

KEY = jax.random.key(0)
_rng = np.random.default_rng(2)
X = np.where(_rng.random(1000) < 0.4, 1.5, 0.0) + _rng.normal(size=1000)


def normals(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


@functools.cache
def close(accelerate):
    """Two normals 1.5 standard deviations apart, from four starts at once."""
    with jax.enable_x64(True):
        return em.EM(normals, accelerate=accelerate, num_restarts=4).run(KEY, X)


@functools.cache
def by_scipy():
    """The highest log-likelihood of `close`, found by BFGS."""

    def minus(v):
        weights = np.log([special.expit(v[0]), special.expit(-v[0])])
        table = weights + stats.norm.logpdf(X[:, None], v[1:3], np.exp(v[3:5]))
        return -special.logsumexp(table, axis=1).sum()

    start = np.array([0.0, *np.quantile(X, [0.2, 0.8]), 0.0, 0.0])
    return -optimize.minimize(minus, start, method="BFGS", options={"gtol": 1e-6}).fun


@pytest.mark.parametrize(
    ("accelerate", "fraction"),
    [pytest.param("squarem", 5, marks=pytest.mark.slow), ("quasi-newton", 15)],
)
def test_the_optimum_of_plain_em_in_a_fraction_of_its_steps(accelerate, fraction, x64):
    plain, fast = close(None), close(accelerate)
    assert fast.base_status is em.Status.CONVERGED
    steps, plain_steps = fast.restart_results.num_steps, plain.restart_results.num_steps
    assert fraction * steps.sum() <= plain_steps.sum()
    assert np.all(np.diff(fast.trace) >= 0)
    assert fast.trace.shape == (fast.num_steps,)
    assert fast.log_likelihood >= plain.log_likelihood - 1e-8
    assert fast.log_likelihood == pytest.approx(by_scipy(), abs=1e-7)
    np.testing.assert_allclose(fast.restart_results.objective, fast.log_likelihood, atol=1e-6)
    errors = plain.standard_errors()
    order = np.argsort(fast.params["loc"]), np.argsort(plain.params["loc"])
    for name, value in plain.params.items():
        away = np.asarray(fast.params[name])[order[0]] - np.asarray(value)[order[1]]
        assert np.all(np.abs(away) < 1e-3 * np.asarray(errors[name]).max()), name


@pytest.mark.parametrize("accelerate", ["squarem", "quasi-newton"])
def test_no_step_is_behind_em_where_em_crawls(accelerate):
    plain, fast = close(None), close(accelerate)
    number = min(len(plain.trace), len(fast.trace))
    assert np.all(fast.trace[20:number] >= plain.trace[20:number])


@pytest.mark.parametrize("assign", ["hard"])
def test_only_smooth_climbs_are_accelerated(assign):
    with pytest.raises(ValueError, match="soft"):
        em.EM(normals, assign=assign, accelerate="squarem")


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="'quasi-newton' or 'squarem'"):
        em.EM(normals, accelerate="warp")


@pytest.mark.slow
def test_a_probability_that_goes_to_zero_does_not_stop_the_others(x64):
    """One item is never solved in one class; EM takes long for all of them."""
    rng = np.random.default_rng(6)
    z = rng.random(400) < 0.5
    x = (rng.random((400, 4)) < np.where(z[:, None], 0.7, 0.3)).astype(int)
    x[z, 0] = 0
    plain = em.EM(models.bernoulli_mixture, num_restarts=2).run(KEY, x, num_components=2)
    fast = em.EM(models.bernoulli_mixture, num_restarts=2, accelerate="quasi-newton").run(
        KEY, x, num_components=2
    )
    assert fast.base_status is em.Status.CONVERGED
    assert fast.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-6)
    assert 20 * fast.num_steps < plain.num_steps
    assert np.asarray(fast.params["probs"])[:, 0].min() < 1e-7
    assert np.all(np.diff(fast.trace) >= 0)


# One of each kind of M-step; by every acceleration, and in single precision, those of two kinds.
FEW = [models.examples(m)[0] for m in (models.gaussian_mixture, models.poisson_regression_mixture)]
OTHERS = [
    models.examples(m)[0]
    for m in (
        models.latent_class,
        models.linear_regression_mixture,
        models.zero_inflated_poisson,
        models.two_coins,
        models.contaminated_mixture,
        models.student_t_mixture,
        models.beta_mixture,
        models.negative_binomial_mixture,
        models.mixture_of_experts,
        models.growth_mixture,
        models.occupancy,
        models.changepoint,
    )
]
EVE = [e for e in models.examples(models.gaussian_mixture) if e.kwargs.get("covariance") == "EVE"]
EXAMPLES = [("float64", e) for e in (*FEW, *OTHERS, *EVE)] + [("float32", e) for e in FEW]


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "example"), EXAMPLES, indirect=["precision"], ids=str)
def test_every_model_ends_where_em_does(example, precision):
    with jax.enable_x64(True):
        x = jax.tree.map(
            np.asarray, example.simulate(jax.random.key(11), interpreted)[example.data]
        )
    ways = (None, "squarem", "quasi-newton") if example in FEW else (None, "quasi-newton")
    plain, *accelerated = (
        em.EM(example.model, accelerate=how, num_restarts=3).run(
            KEY, jax.tree.map(jnp.asarray, x), **example.kwargs
        )
        for how in ways
    )
    tolerance = 1e-6 if precision == jnp.dtype("float64") else 2e-5 * abs(plain.log_likelihood)
    for fast in accelerated:
        assert fast.base_status is em.Status.CONVERGED, fast.message
        assert np.all(np.diff(fast.trace) >= 0)
        assert fast.log_likelihood >= plain.log_likelihood - tolerance


@pytest.mark.slow
def test_of_many_starts_the_best_few_go_on(x64):
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0, 0], [3, 1, 0, 2], [0, 3, 3, -1]])
    x = centres[rng.integers(3, size=10_000)] + rng.normal(size=(10_000, 4))
    one, many = (
        em.EM(models.gaussian_mixture, num_restarts=r).run(KEY, x, num_components=3)
        for r in (5, 40)
    )
    assert many.status is em.Status.CONVERGED
    assert many.log_likelihood >= one.log_likelihood - 1e-6
    assert len(many.restarts) == 40
    assert np.all(np.sort(many.restarts["num_steps"])[:37] <= 10)
    assert many.num_steps > 10
