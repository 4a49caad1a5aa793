"""k-means refuses what is no data."""

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
