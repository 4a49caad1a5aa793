"""Single moves of a k-means partition lower the sum of squares, and end where none helps."""

import itertools

import numpy as np
import pytest

from mixpyro.em.climb.single_moves import moved


def inertia(x, weights, labels):
    total = 0.0
    for label in np.unique(labels):
        own, w = x[labels == label], weights[labels == label]
        total += (w[:, None] * (own - np.average(own, 0, w)) ** 2).sum()
    return total


def nearest(x, centroids):
    return ((x[:, None] - centroids) ** 2).sum(2).argmin(1)


def lloyd(x, weights, centroids):
    for _ in range(100):
        labels = nearest(x, centroids)
        parts = [(x[labels == j], weights[labels == j]) for j in range(len(centroids))]
        centroids = np.array([np.average(own, 0, w) for own, w in parts])
    return centroids


def stuck(seed, weighted):
    """Where Lloyd's algorithm ends from rows at random."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 2))
    weights = rng.uniform(0.5, 3, 60) if weighted else np.ones(60)
    return x, weights, lloyd(x, weights, x[rng.choice(60, 4, replace=False)])


@pytest.mark.parametrize("weighted", [False, True])
def test_no_single_move_is_left_that_helps(weighted):
    helped = 0
    for seed in range(20):
        x, weights, centroids = stuck(seed, weighted)
        before = inertia(x, weights, nearest(x, centroids))
        better = moved(x, weights, centroids)
        labels = nearest(x, centroids if better is None else better)
        after = inertia(x, weights, labels)
        helped += better is not None
        assert (after < before) == (better is not None)
        for row, new in itertools.product(range(60), range(4)):
            other = labels.copy()
            other[row] = new
            assert inertia(x, weights, other) > after - 1e-9
    assert helped > 2  # so that there was something to see


def test_rows_without_weight_do_not_move_and_single_rows_stay():
    x = np.array([[0.0], [1.0], [10.0], [4.9]])
    assert moved(x, np.array([1.0, 1.0, 1.0, 0.0]), np.array([[0.5], [10.0]])) is None
    assert moved(x[:3], np.ones(3), np.array([[0.0], [1.0], [10.0]])) is None


def test_one_row_that_pays_to_move():
    # The sum of squares is 8.67 with 4 beside 0 and 1, 0.5 + 4.5 with it beside 7.
    x = np.array([[0.0], [1.0], [4.0], [7.0]])
    centroids = np.array([[5 / 3], [7.0]])
    better = moved(x, np.ones(4), centroids)
    np.testing.assert_allclose(np.sort(better.ravel()), [0.5, 5.5])
