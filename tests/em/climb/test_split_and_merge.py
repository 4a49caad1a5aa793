"""Split and merge: from a local optimum, two components merged and another split."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mixpyro import em, models
from mixpyro.em.climb.starts import CATALOGUE, Revising

START = CATALOGUE["split and merge"]
KEYS = jax.random.split(jax.random.key(3), 300)
# Four groups of ten; two of them were taken for one, and one for two.
TRUE = np.repeat(np.arange(4), 10)
X = (
    np.random.default_rng(0).normal(size=(40, 2)) / 10
    + np.array([[0, 0], [9, 0], [0, 9], [9, 9]])[TRUE]
)
STUCK = np.where(TRUE == 1, 0, TRUE)
STUCK[TRUE == 3] = np.where(np.arange(10) % 2, 1, 3)


@pytest.fixture(scope="module", params=[False, True], ids=["soft", "hard"])
def revised(request):
    found = jax.nn.one_hot(STUCK, 4)
    points, weights, hard = jnp.asarray(X), jnp.ones(40), request.param
    return np.asarray(jax.vmap(lambda key: START.revise(found, points, weights, key, hard))(KEYS))


def test_it_revises_and_may_begin():
    assert isinstance(START, Revising)
    assert not isinstance(CATALOGUE["random"], Revising)


def test_rows_stay_shared_out_and_one_component_at_least_is_as_it_was(revised):
    before = np.eye(4)[STUCK]
    for resp in revised:
        np.testing.assert_allclose(resp.sum(1), 1, rtol=1e-6)
        assert (resp >= 0).all()
        changed = (np.abs(resp - before) > 1e-6).any(0)
        assert 1 < changed.sum() <= 3


def test_the_right_groups_are_among_what_it_tries(revised):
    def same(resp):
        pairs = resp.argmax(1)[:, None] == resp.argmax(1)
        return (pairs == (TRUE[:, None] == TRUE)).all()

    assert any(same(resp) for resp in revised)


@pytest.mark.slow
def test_two_components_are_both_cut_anew():
    found = jax.nn.one_hot(np.arange(40) % 2, 2)
    points, weights = jnp.asarray(X), jnp.ones(40)
    revise = jax.vmap(lambda key: START.revise(found, points, weights, key, False))
    new = np.asarray(revise(KEYS[:60]))
    assert len({resp[:, 0].tobytes() for resp in new}) > 10
    assert np.isfinite(new).all()


def test_by_name_it_is_a_start_like_others(x64):
    way = em.EM(models.gaussian_mixture, start="split and merge", num_restarts=5)
    fit = way.run(jax.random.key(0), X, num_components=4, covariance="VII")
    assert fit.status.ok
    given = way.run(
        jax.random.key(0), X, num_components=4, covariance="VII",
        init_responsibilities=np.eye(4)[TRUE],
    )  # fmt: skip
    assert len(given.restarts) == 1
    np.testing.assert_array_equal(given.predict(), TRUE)


def test_a_few_rows_of_a_component_are_taken_as_one():
    """Four of thirty, close together in the midst of the others: no line cuts them out."""
    rng = np.random.default_rng(1)
    points = jnp.asarray(
        np.concatenate([rng.normal(size=(36, 2)) * 3, rng.normal(size=(4, 2)) / 50])
    )
    found = jax.nn.one_hot((np.arange(40) < 10).astype(int), 3)
    revise = jax.vmap(lambda key: START.revise(found, points, jnp.ones(40), key, False))
    new = np.asarray(revise(jax.random.split(KEYS[0], 1500)))
    assert {(36, 37, 38, 39)} <= {tuple(np.flatnonzero(own)) for resp in new for own in resp.T}


def test_two_components_that_are_the_same_are_split():
    """A saddle: they share two groups of which an outlying group leaves nothing to be seen."""
    points = jnp.asarray(np.concatenate([X[:20], np.full((10, 2), 1e5)]))
    found = jnp.asarray([[0.5, 0.5, 0]] * 20 + [[0, 0, 1.0]] * 10)
    revise = jax.vmap(lambda key: START.revise(found, points, jnp.ones(30), key, False))
    new = np.asarray(revise(KEYS))
    own, other = new[:, :10].mean(1), new[:, 10:20].mean(1)
    apart = (np.abs(own - other).max(1) > 0.5) & (new[:, 20:, 2] == 1).all(1)
    assert apart.mean() > 0.1
