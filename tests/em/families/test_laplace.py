import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints
from scipy import stats

from mixpyro.em.families import Ties, find

from .case import Case

CASES = [
    Case(
        distribution=dist.Laplace,
        params={"loc": [-3.0, 6.0], "scale": [0.7, 2.0]},
        supports={"loc": constraints.real, "scale": constraints.positive},
        make=dist.Laplace,
        draw=lambda rng, loc, scale: rng.laplace(loc, scale),
        log_density=lambda x, loc, scale: stats.laplace.logpdf(x, loc, scale),
        m_step="likelihood equations, on rows",
        smooth=False,
        slow=True,
    )
]


@pytest.mark.parametrize("shared", [False, True])
def test_the_loc_is_the_best_of_all_rows(shared, x64):
    """The expected log-likelihood is linear between two rows, so its maximum is at one of them."""
    rng = np.random.default_rng(2)
    x = rng.laplace(2, 3, 60)
    weights = rng.random((2, 60))
    scale = np.array([[0.5], [4.0]])
    args = {"loc": jnp.zeros((2, 1)), "scale": jnp.asarray(scale)}
    none = np.zeros((2, 1), bool)
    own, one = Ties(np.array([[0], [1]]), none), Ties(np.zeros((2, 1), int), none)
    ties = {"loc": one if shared else own, "scale": own}
    family = find(dist.Laplace)
    assert family.solves(ties)
    data = jnp.asarray(x)[None]
    reference = family.reference(data, jnp.ones(60), args, ties)
    u = family.coordinates(data, reference)
    found = family.improve(u, jnp.asarray(weights)[:, None], {}, args, ties, reference)
    away = np.abs(x - x[:, None])  # (candidate, row)
    cost = (weights / scale) @ away.T  # (k, candidate)
    best = np.full(2, x[cost.sum(0).argmin()]) if shared else x[cost.argmin(1)]
    np.testing.assert_allclose(found["loc"][:, 0], best, rtol=1e-12)
    mean = (weights * np.abs(x - best[:, None])).sum(1) / weights.sum(1)
    np.testing.assert_allclose(found["scale"][:, 0], mean, rtol=1e-12)


def test_a_loc_shared_by_columns_is_left_to_the_numeric_m_step():
    none = np.zeros((2, 2), bool)
    rows = Ties(np.array([[0, 0], [1, 1]]), none)
    assert not find(dist.Laplace).solves({"loc": rows, "scale": rows})
