"""The start by greedy k-means++: each row to the nearest of centres that are far apart."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ...machine.arrays import product
from ...machine.shards import cumulative, rows_at
from ._start import Start, softened_nearby
from .random import Random

_SEEDING_ROWS = 1 << 14


@dataclass(frozen=True)
class KMeansPlusPlus(Start):
    """The groups nearest to centres by greedy k-means++."""

    name = "kmeans++"
    # Regressions that cross are no clusters of points, and proportions of few trials are noise
    # beside those of many. Of few units the groups would always be the same.
    elsewhere = Random()
    parts: int = 1

    def in_parts(self, parts: int) -> Start:
        """Sampled part by part."""
        return KMeansPlusPlus(parts)

    def responsibilities(
        self,
        points: jax.Array,
        weights: jax.Array,
        labels: jax.Array | None,
        k: int,
        key: jax.Array,
        hard: bool,
    ) -> jax.Array:
        """(n, k) the groups, softened."""
        centres = centres_of(points, weights, labels, k, key, self.parts)
        squares = squared_distances(points, centres)
        return softened_nearby(squares, weights, hard, points.shape[1])


def squared_distances(points: jax.Array, centres: jax.Array) -> jax.Array:
    """(n, k) squared Euclidean distances, by one matrix product."""
    cross = product(points, centres.T)
    squares = (points**2).sum(1)[:, None] - 2 * cross + (centres**2).sum(1)
    return jnp.maximum(squares, 0)


def nearest(points: jax.Array, centres: jax.Array) -> jax.Array:
    """(n,) the nearest centre of each point."""
    return squared_distances(points, centres).argmin(-1)


def centres_of(
    points: jax.Array,
    weights: jax.Array,
    labels: jax.Array | None,
    k: int,
    key: jax.Array,
    parts: int = 1,
) -> jax.Array:
    """(k, m) centres by greedy k-means++: of several candidates the one that helps most.

    Arthur & Vassilvitskii (2007, SODA), section 6 for the greedy choice. Candidates are drawn
    with probability proportional to weight times squared distance; their number grows with k, so
    that among many well-separated groups none is missed. Components with known labels start at
    the mean of their rows. Large data are seeded from a random part of the rows.
    """
    centres = jnp.zeros((k, points.shape[1]), points.dtype)
    given = None
    key, sub = jax.random.split(key)
    if labels is not None:
        known = jax.nn.one_hot(labels, k, dtype=points.dtype) * weights[:, None]
        total = known.sum(0)
        given = total > 0
        centres = known.T @ points / jnp.where(given, total, 1)[:, None]
    if points.shape[0] > _SEEDING_ROWS:
        points, parts = _sample(points, weights, sub, parts), 1
        weights = jnp.ones((_SEEDING_ROWS,), points.dtype)
    far = jnp.asarray(jnp.finfo(points.dtype).max / 4, points.dtype)
    distance = jnp.full(points.shape[:1], far)
    if given is not None:
        distance = jnp.where(given, squared_distances(points, centres), far).min(-1)
    candidates = 2 + k // 6

    def choose(j: int, carry: tuple) -> tuple:
        centres, distance, key = carry
        key, sub = jax.random.split(key)
        # Nothing chosen yet: by weight alone.
        chance = weights * jnp.where(distance >= far, 1.0, distance)
        chance, total = cumulative(jnp.where(chance.sum() > 0, chance, weights), parts)
        draws = jax.random.uniform(sub, (candidates,), points.dtype) * total
        picks = (chance[:, None] < draws).sum(0).clip(0, len(points) - 1)
        picked = rows_at(points, picks, parts)
        found = jnp.minimum(distance[:, None], squared_distances(points, picked))
        # The first centre is one row at random: restarts are to differ.
        best = jnp.where((distance < far).any(), (weights @ found).argmin(), 0)
        new, distance_to = picked[best], found[:, best]
        if given is not None:
            new = jnp.where(given[j], centres[j], new)
            distance_to = jnp.where(given[j], distance, distance_to)
        return centres.at[j].set(new), distance_to, key

    return jax.lax.fori_loop(0, k, choose, (centres, distance, key))[0]


def _sample(points: jax.Array, weights: jax.Array, key: jax.Array, parts: int) -> jax.Array:
    """Points drawn by weight, with replacement."""
    n = points.shape[0]
    if parts == 1:
        return points[jax.random.choice(key, n, (_SEEDING_ROWS,), p=weights)]
    # As `jax.random.choice` draws them.
    up_to, total = cumulative(weights, parts)
    places = total * (1 - jax.random.uniform(key, (_SEEDING_ROWS,), up_to.dtype))
    each = up_to.reshape(parts, -1)
    below = jax.vmap(lambda own: jnp.searchsorted(own, places))(each).sum(0)
    return rows_at(points, below.clip(0, n - 1), parts)
