"""Rows at random as centres."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ._start import Start, softened_nearby
from .kmeans_plus_plus import squared_distances
from .random import Random


@dataclass(frozen=True)
class RandomRows(Start):
    """Groups around k rows drawn by their weights, without regard to distance (Forgy 1965).

    Unlike k-means++ they leave outliers alone and split what is dense: starts of another kind,
    which lead to other optima.
    """

    name = "random rows"
    elsewhere = Random()

    def responsibilities(
        self,
        points: jax.Array,
        weights: jax.Array,
        labels: jax.Array | None,
        k: int,
        key: jax.Array,
        hard: bool,
    ) -> jax.Array:
        """(n, k) softened groups of the nearest row drawn; labelled components at their means."""
        # The k largest of exponential races are k different rows, drawn by weight.
        race = jnp.log(weights) + jax.random.gumbel(key, weights.shape, points.dtype)
        drawn = jnp.argsort(-race)
        centres = points[drawn[jnp.arange(k) % len(weights)]]
        if labels is not None:
            known = jax.nn.one_hot(labels, k, dtype=points.dtype) * weights[:, None]
            total = known.sum(0)[:, None]
            means = known.T @ points / jnp.where(total > 0, total, 1)
            centres = jnp.where(total > 0, means, centres)
        squares = squared_distances(points, centres)
        return softened_nearby(squares, weights, hard, points.shape[1])
