"""Which components may be renamed, and what that does to each site; and the assignment."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em, models
from mixpyro.inference.relabel import assign, relabel
from mixpyro.inference.symmetry import symmetries_of

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
_rng = np.random.default_rng(4)
Z = np.arange(90) % 3
X = np.array([[-4.0, 0.0, 1.0], [4.0, 1.0, 0.0], [0.0, 7.0, -3.0]])[Z] + _rng.normal(size=(90, 3))


def cube(x, known=None, labels=None):
    """As many features as components, so that shapes alone do not tell the axes."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    scale = numpyro.sample("scale", dist.HalfNormal(2.0).expand([3]).to_event(1))
    with numpyro.plate("components", 3):
        loc = numpyro.sample("loc", dist.Normal(0.0, 5.0).expand([3]).to_event(1))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights), obs=labels, obs_mask=known)
        numpyro.sample("x", dist.Normal(loc[z], scale).to_event(1), obs=x)


def test_axes_are_found_by_what_they_do():
    found = symmetries_of(em.EM(cube, num_restarts=3).run(KEY, X))["z"]
    assert found.axes == {"weights": (0,), "loc": (0,)}  # not scale, nor the features of loc
    assert found.classes == ((0, 1, 2),)
    order = np.array([2, 0, 1])
    params = {"weights": np.array([0.1, 0.2, 0.7]), "loc": np.arange(9.0).reshape(3, 3)}
    new = found.apply(params | {"scale": np.arange(3.0)}, order)
    np.testing.assert_array_equal(new["weights"], [0.7, 0.1, 0.2])
    np.testing.assert_array_equal(new["loc"], params["loc"][order])
    np.testing.assert_array_equal(new["scale"], np.arange(3.0))


def test_known_labels_anchor_their_component():
    known = (np.arange(90) < 12) & (Z == 1)
    found = symmetries_of(em.EM(cube, num_restarts=3).run(KEY, X, known, Z))["z"]
    assert found.classes == ((0, 2), (1,))
    assert "tell components apart" in found.reason


def test_coins_swap_sites_and_a_probability_becomes_its_complement():
    x = np.random.default_rng(1).binomial(10, np.where(np.arange(60) < 25, 0.85, 0.3))
    found = symmetries_of(em.EM(models.two_coins).run(KEY, x, num_tosses=10))["z"]
    assert found.complements == {"pi"}
    assert found.swaps == (("q", "p"),)  # the coin q is component 0
    assert found.classes == ((0, 1),)
    params = {"pi": np.array([0.4, 0.4]), "p": np.array([0.9, 0.9]), "q": np.array([0.2, 0.2])}
    new = found.apply(params, np.array([[0, 1], [1, 0]]))
    np.testing.assert_allclose(new["pi"], [0.4, 0.6])
    np.testing.assert_allclose(new["p"], [0.9, 0.2])
    np.testing.assert_allclose(new["q"], [0.2, 0.9])


@functools.cache
def beside_noise():
    x = np.vstack([X[:, :2], np.random.default_rng(0).uniform(-9, 9, size=(10, 2))])
    fitter = em.EM(models.contaminated_mixture, num_restarts=3)
    return fitter.run(KEY, x, num_components=2, covariance="spherical")


def test_a_background_stays_where_it_is():
    found = symmetries_of(beside_noise())["z"]
    # Two features as well: only the first axis of loc numbers components.
    assert found.axes == {"weights": (0,), "loc": (0,), "scale": (0,)}
    assert found.classes == ((0, 1), (2,))
    params = {"weights": np.array([0.5, 0.3, 0.2]), "loc": np.arange(4.0).reshape(2, 2)}
    new = found.apply(params, np.array([1, 0, 2]))
    np.testing.assert_array_equal(new["weights"], [0.3, 0.5, 0.2])
    np.testing.assert_array_equal(new["loc"], [[2.0, 3.0], [0.0, 1.0]])


@pytest.mark.slow
def test_components_beside_a_background_are_relabelled():
    fit = beside_noise()
    swapped = symmetries_of(fit)["z"].apply(fit.params, np.array([1, 0, 2]))
    for by in ("parameters", "responsibilities"):
        back = relabel({n: v[None, None] for n, v in swapped.items()}, fit, by)
        np.testing.assert_array_equal(back.permutations["z"], [[[1, 0, 2]]])
        np.testing.assert_array_equal(back.draws["loc"][0, 0], fit.params["loc"])


@pytest.mark.parametrize("k", [3, 5])
def test_the_assignment_is_the_cheapest(k):
    cost = np.random.default_rng(0).normal(size=(20, k, k))
    orders = list(itertools.permutations(range(k)))
    best = [min(orders, key=lambda o, c=c: sum(c[a, o[a]] for a in range(k))) for c in cost]
    np.testing.assert_array_equal(assign(cost, (tuple(range(k)),)), best)
    # Within classes, the others stay.
    part = assign(cost, ((0, 2), *((j,) for j in range(k) if j not in (0, 2))))
    switched = cost[:, 0, 2] + cost[:, 2, 0] < cost[:, 0, 0] + cost[:, 2, 2]
    np.testing.assert_array_equal(part[:, 0] == 2, switched)
    np.testing.assert_array_equal(part[:, 1], np.ones(20))
