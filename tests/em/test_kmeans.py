"""What k-means refuses, and the metric that it starts in."""

import numpy as np
import pytest

from mixpyro import em

from .refusals import KEY


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((np.zeros((3, 2, 2)), 2), {}, r"x must have shape \(n, d\)"),
        ((np.zeros((5, 2)), 0), {}, "num_clusters"),
        ((np.zeros((5, 2)), 2.0), {}, "num_clusters"),
        ((np.zeros((5, 2)), 2), {"weights": np.ones(4)}, r"weights have shape \(4,\)"),
        ((np.zeros((5, 2)), 2), {"init": np.zeros((2, 3))}, r"\(2, 2\) centroids"),
        ((np.zeros((2, 2)), 3), {}, "2 rows .* 3"),
        ((np.array([[0.0, np.nan], [1.0, 2.0]]), 1), {}, "row 0, column 1"),
    ],
)
def test_kmeans_refuses(args, options, message):
    with pytest.raises(ValueError, match=message):
        em.kmeans(*args, KEY, **options)


def test_k_means_starts_in_the_metric_that_it_minimises(x64):
    """Clusters along a wide column beside narrow noise, which starts by column would be full of."""
    rng = np.random.default_rng(1)
    z = rng.integers(20, size=400)
    x = np.c_[10.0 * z + rng.normal(size=400), rng.normal(size=(400, 4))]
    means = np.stack([x[z == j].mean(0) for j in range(20)])
    truth = ((x - means[z]) ** 2).sum()
    for key in range(4):
        assert em.kmeans(x, 20, key, num_restarts=5).inertia <= truth * (1 + 1e-9)
