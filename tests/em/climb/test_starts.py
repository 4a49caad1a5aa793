"""Starts: each file of the folder is one, each gives responsibilities, and so may a user's own."""

import re
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mixpyro import em, models
from mixpyro.em.climb import starts
from mixpyro.em.climb.starts.kmeans_plus_plus import KMeansPlusPlus

KEY = jax.random.key(0)
_rng = np.random.default_rng(4)
X = np.concatenate([_rng.normal(size=30), _rng.normal(size=50) + 9])[:, None]
FILES = {p.stem for p in Path(starts.__file__).parent.glob("[!_]*.py")}


def test_each_file_is_a_start():
    assert {type(s).__module__.rpartition(".")[2] for s in starts.CATALOGUE.values()} == FILES
    assert set(starts.CATALOGUE) >= {"kmeans++", "quantile", "random"}
    assert len(starts.CATALOGUE) == len(FILES)


def test_an_unknown_start_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match=re.escape(" or ".join(map(repr, starts.CATALOGUE)))):
        em.EM(models.gaussian_mixture, start="warp")
    for other in (3, KMeansPlusPlus):
        with pytest.raises(ValueError, match="a name or a Start value"):
            em.EM(models.gaussian_mixture, start=other)


@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@pytest.mark.parametrize("name", starts.CATALOGUE)
def test_a_start_gives_responsibilities(name, hard):
    start, weights = starts.CATALOGUE[name], jnp.ones(len(X))
    found = [
        np.asarray(start.responsibilities(jnp.asarray(X), weights, None, 3, key, hard))
        for key in jax.random.split(KEY, 2)
    ]
    for resp in found:
        assert resp.shape == (len(X), 3)
        np.testing.assert_allclose(resp.sum(1), 1, rtol=1e-6)
        assert (set(np.unique(resp)) == {0, 1}) == hard
    assert start.chance == (not np.array_equal(*found))
    assert hash(start) == hash(type(start)())


@pytest.mark.parametrize("name", ["kmeans++", "random rows"])
def test_groups_far_apart_take_no_part_of_each_other(name):
    """A part of such rows would be all that is to be seen of a group; one row alone takes some."""
    far = 1e4 + _rng.normal(size=(20, 1))
    points, weights = jnp.asarray(np.concatenate([X, far])), jnp.ones(100)
    seen = 0
    for key in jax.random.split(KEY, 10):
        resp = np.asarray(
            starts.CATALOGUE[name].responsibilities(points, weights, None, 3, key, False)
        )
        np.testing.assert_allclose(resp.sum(1), 1, rtol=1e-5)
        own = resp[80:].argmax(1)
        alone = len(set(own)) == 1 and not (resp[:80].argmax(1) == own[0]).any()
        enough = np.bincount(resp.argmax(1), minlength=3) >= 6
        others = np.arange(3) != own[0]
        if alone:
            assert (resp[80:, enough & others] == 0).all()
            assert (resp[:80, others] > 0).all()
            seen += enough.all()
    assert seen > 0
    one = jnp.asarray(np.concatenate([X, far[:1]]))
    for key in jax.random.split(KEY, 10):
        resp = np.asarray(
            starts.CATALOGUE[name].responsibilities(one, jnp.ones(81), None, 3, key, False)
        )
        assert resp.sum(0).min() > 1.5


@dataclass(frozen=True)
class Halves(starts.Start):
    """The first rows and the last ones."""

    first: int
    chance = False

    def responsibilities(self, points, weights, labels, k, key, hard):
        groups = (jnp.arange(len(weights)) >= self.first).astype(int)
        return jax.nn.one_hot(groups, k, dtype=weights.dtype)


def test_a_start_of_ones_own_is_climbed_from():
    way = em.EM(models.gaussian_mixture, start=Halves(30), max_steps=1)
    fit = way.run(KEY, X, num_components=2)
    assert len(fit.restarts) == 1
    # The first M-step is of the rows as they were given.
    np.testing.assert_allclose(
        np.ravel(fit.params["loc"]), [X[:30].mean(), X[30:].mean()], rtol=1e-5
    )
