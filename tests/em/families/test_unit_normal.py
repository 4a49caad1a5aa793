import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints
from scipy import stats

from mixpyro import em
from mixpyro.distributions import UnitNormal

from .case import Case

CASES = [
    Case(
        distribution=UnitNormal,
        params={"loc": [-2.0, 2.5]},
        supports={"loc": constraints.real},
        make=UnitNormal,
        draw=lambda rng, loc: rng.normal(loc, 1),
        log_density=lambda x, loc: stats.norm.logpdf(x, loc),
        slow=True,
    )
]


def mixture(normal):
    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
        with numpyro.plate("components", 3):
            loc = numpyro.sample("loc", dist.Normal(0, 10).expand([2]).to_event(1))
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", normal(loc[z]).to_event(1), obs=x)

    return model


@pytest.mark.parametrize("assign", ["soft", "hard"])
def test_it_is_a_normal_of_scale_1(assign, x64):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(90, 2)) + 3 * rng.integers(3, size=(90, 1))
    fits = [
        em.EM(mixture(normal), assign=assign).run(0, x)
        for normal in (UnitNormal, lambda loc: dist.Normal(loc, 1.0))
    ]
    ours, theirs = fits
    np.testing.assert_allclose(ours.log_likelihood, theirs.log_likelihood, rtol=1e-10)
    for name in ("weights", "loc"):
        np.testing.assert_allclose(ours.params[name], theirs.params[name], atol=1e-5)


def test_its_law_is_the_normals():
    law = UnitNormal(jnp.array([0.0, 2.0]))
    x = np.array([0.3, 1.0])
    np.testing.assert_allclose(law.cdf(x), stats.norm.cdf(x, [0, 2]), rtol=1e-6)
    np.testing.assert_allclose(law.icdf(law.cdf(x)), x, rtol=1e-5)
    np.testing.assert_allclose(law.mean, [0, 2])
    np.testing.assert_allclose(law.variance, [1, 1])
    draws = law.sample(jax.random.key(0), (20_000,))
    np.testing.assert_allclose(draws.mean(0), [0, 2], atol=0.03)
    np.testing.assert_allclose(draws.var(0), [1, 1], atol=0.03)


def test_k_means_starts_in_the_metric_that_it_minimises(x64):
    """Clusters along a wide column beside narrow noise, which starts by column would be full of."""
    rng = np.random.default_rng(1)
    z = rng.integers(20, size=400)
    x = np.c_[10.0 * z + rng.normal(size=400), rng.normal(size=(400, 4))]
    means = np.stack([x[z == j].mean(0) for j in range(20)])
    truth = ((x - means[z]) ** 2).sum()
    for key in range(4):
        assert em.kmeans(x, 20, key, num_restarts=5).inertia <= truth * (1 + 1e-9)
