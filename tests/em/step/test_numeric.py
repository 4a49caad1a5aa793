"""Numeric M-steps: bounds, far corners of logarithms and logits, and starts that differ within."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, special, stats

from mixpyro import em
from mixpyro.em.machine.maximise import maximise


def mixture(x, component):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        args = component()
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", args(z), obs=x)


def best_of_ten(log_densities, size, spread=1.5):
    """SciPy's best optimum of a mixture of two, its densities given by unconstrained numbers."""

    def cost(v):
        with np.errstate(all="ignore"):
            one, two = log_densities(v[1:])
            joint = np.logaddexp(special.log_expit(v[0]) + one, special.log_expit(-v[0]) + two)
        total = -joint.sum()
        return total if np.isfinite(total) else 1e10

    rng = np.random.default_rng(0)
    starts = spread * rng.standard_normal((10, size + 1))
    return max(-optimize.minimize(cost, start).fun for start in starts)


@pytest.fixture(scope="module")
def two_normals():
    rng = np.random.default_rng(0)
    z = rng.random(300) > 0.4
    return np.where(z, rng.normal(1.2, 1.0, 300), rng.normal(-1.2, 0.5, 300))


@pytest.mark.slow
def test_scales_that_begin_at_their_bound_come_back(two_normals, x64):
    def component():
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.Uniform(0, 0.8))
        return lambda z: dist.Normal(loc[z], scale[z])

    def log_densities(v):
        scale = 0.8 * special.expit(v[2:])
        return [stats.norm.logpdf(two_normals, v[k], scale[k]) for k in range(2)]

    fit = em.EM(mixture).run(jax.random.key(0), two_normals, component)
    assert fit.base_status is em.Status.CONVERGED
    # The bound itself is e^-18 away for a numeric M-step.
    assert fit.log_likelihood > best_of_ten(log_densities, 4) - 1e-5
    assert np.asarray(fit.params["scale"]).max() > 0.8 - 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["uniform", "truncated"])
def test_locs_within_an_interval(two_normals, kind, x64):
    """One of the locs would be outside, so that it ends at the bound."""
    prior = dist.Uniform(-0.5, 1.5) if kind == "uniform" else dist.TruncatedNormal(0, 1, low=-0.5)

    def component():
        loc = numpyro.sample("loc", prior)
        scale = numpyro.sample("scale", dist.HalfNormal(1))
        return lambda z: dist.Normal(loc[z], scale[z])

    def log_densities(v):
        loc = -0.5 + (2 * special.expit(v[:2]) if kind == "uniform" else np.exp(v[:2]))
        return [stats.norm.logpdf(two_normals, loc[k], np.exp(v[2 + k])) for k in range(2)]

    fit = em.EM(mixture).run(jax.random.key(0), two_normals, component)
    assert fit.base_status is em.Status.CONVERGED
    assert fit.log_likelihood > best_of_ten(log_densities, 4) - 1e-5


@pytest.mark.slow
def test_gompertz_lives_come_back_from_their_exponential_limit(x64):
    """For the starts' groups rate 0 and concentration infinity are best: a ridge far out."""
    rng = np.random.default_rng(0)
    rate, concentration = np.array([[3.0, 0.5], [0.5, 0.3]])[(rng.random(300) > 0.4).astype(int)].T
    x = np.log1p(rng.exponential(size=300) / concentration) / rate

    def component():
        rate = numpyro.sample("rate", dist.HalfNormal(3))
        concentration = numpyro.sample("concentration", dist.HalfNormal(1))
        return lambda z: dist.Gompertz(rate=rate[z], concentration=concentration[z])

    def log_densities(v):
        return [
            v[k] + v[2 + k] + np.exp(v[k]) * x - np.exp(v[2 + k]) * np.expm1(np.exp(v[k]) * x)
            for k in range(2)
        ]

    fit = em.EM(mixture).run(jax.random.key(0), x, component)
    assert fit.base_status is em.Status.CONVERGED
    assert fit.log_likelihood > best_of_ten(log_densities, 4, 1.0) - 1e-6


@pytest.mark.slow
def test_parts_of_a_component_that_are_alike_do_not_stay_alike(x64):
    """Each class is a mixture itself: with equal parts everywhere the starts sit on a saddle."""
    rng = np.random.default_rng(0)
    z, part = (rng.random(200) > 0.4).astype(int), (rng.random((200, 3)) > 0.5).astype(int)
    centres = np.array([[-4.0, 0.0], [2.0, 6.0]])
    x = centres[z[:, None], part] + 0.5 * rng.standard_normal((200, 3))

    def component():
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]).to_event(1))
        scale = numpyro.sample("scale", dist.HalfNormal(1))

        def of(z):
            parts = jnp.broadcast_to(loc[z][..., None, :], (*z.shape, 3, 2))
            inner = dist.Normal(parts, scale[z][..., None, None])
            even = dist.Categorical(jnp.full((*z.shape, 3, 2), 0.5))
            return dist.MixtureSameFamily(even, inner).to_event(1)

        return of

    def log_densities(v):
        out = []
        for k in range(2):
            parts = [stats.norm.logpdf(x, v[2 * k + j], np.exp(v[4 + k])) for j in range(2)]
            out.append((np.logaddexp(*parts) - np.log(2)).sum(1))
        return out

    def cost(v):
        one, two = log_densities(v[1:])
        joint = np.logaddexp(special.log_expit(v[0]) + one, special.log_expit(-v[0]) + two)
        return -joint.sum()

    truth = np.r_[0.0, centres.ravel(), np.log([0.5, 0.5])]
    best = -optimize.minimize(cost, truth).fun
    fit = em.EM(mixture).run(jax.random.key(0), x, component)
    np.testing.assert_allclose(fit.log_likelihood, best, rtol=1e-8)


def test_no_point_leaves_its_limits_and_none_is_lost_beyond(x64):
    def objective(u):  # at most with v = 1 and v = sigmoid(infinity)
        return -((jnp.exp(u[0]) - 1) ** 2) + jax.nn.sigmoid(u[1])

    limit = jnp.array([18.0, 18.0])
    found = jnp.array([-17.9, -18.0])
    for _ in range(4):  # an M-step ends with its first step that goes as foreseen
        found = maximise(objective, found, 100, limit)
    np.testing.assert_allclose(found[0], 0, atol=1e-6)
    assert 10 < found[1] <= 18
    # A start beyond the limit is not moved for it: that could lower the objective.
    beyond = maximise(lambda u: -((u[0] - 25) ** 2), jnp.array([20.0]), 100, jnp.array([18.0]))
    np.testing.assert_array_equal(beyond, [20.0])
