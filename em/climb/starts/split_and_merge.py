"""Two components merged and another split, in the best that was found so far."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ._start import Revising, softened
from .random import Random

# Pairs that share rows are merged more often than others, but not only they.
_ANY = 0.05
# The part of a component's rows on one side of a cut, and around one row.
_MIDDLE, _FEW = (0.15, 0.85), (0.02, 0.15)


@dataclass(frozen=True)
class SplitAndMerge(Random, Revising):
    """Revises what was found as Ueda, Nakano, Ghahramani & Hinton (2000) do.

    In a local optimum of EM two components often share what one could explain, and one covers what
    needs two (Neural Computation 12:2109). So the responsibilities that were found are changed: two
    components are merged, those that share rows more likely, and the one that is set free takes
    part of the rows of a third; or of both together, of two components or the more likely the more
    alike they are: a climb may have ended on a saddle where they are the same. It is split across
    the line through two of its rows, half way or at a random part of the rows, or by a toss for
    each row, where points do not tell lines apart; columns count by their spreads within the
    component. Before anything is found, rows are given responsibilities at random.
    """

    name = "split and merge"

    def revise(
        self,
        found: jax.Array,
        points: jax.Array,
        weights: jax.Array,
        key: jax.Array,
        hard: bool,
    ) -> jax.Array:
        """(n, k) of the responsibilities (n, k) that were found."""
        k = found.shape[1]
        pair, third, way, along, place = jax.random.split(key, 5)
        if hard:
            found = softened(found.argmax(1), k, True, points.dtype)
        counted = found * weights[:, None]
        sizes = counted.sum(0)
        common = counted.T @ found
        shared = common / jnp.sqrt(sizes * sizes[:, None] + 1e-30)
        chance = jnp.where(jnp.eye(k, dtype=bool), 0, shared + _ANY)
        first, second = jnp.divmod(jax.random.categorical(pair, jnp.log(chance).ravel()), k)
        merged = found.at[:, first].add(found[:, second]).at[:, second].set(0)
        squares = jnp.diagonal(common)
        alike = common[first, second] ** 2 / (squares[first] * squares[second] + 1e-30)
        both = (sizes[first] + sizes[second]) * jnp.where(k == 2, 1.0, alike**2)
        chance = jnp.log(sizes.at[first].set(both) + 1e-30)
        split = jax.random.categorical(third, chance.at[second].set(-jnp.inf))
        own = merged[:, split]
        cuts = (_among_rows, _nearer, _around, _by_toss)
        seen = _in_own_scales(points, own * weights)
        taken = jax.lax.switch(
            jax.random.randint(way, (), 0, len(cuts)), cuts, seen, own * weights, along, place
        )
        return merged.at[:, split].set(own * (1 - taken)).at[:, second].set(own * taken)


def _in_own_scales(points: jax.Array, weights: jax.Array) -> jax.Array:
    """The points (n, m) in the spreads of a component's rows: others may lie far away."""
    total = weights.sum()
    centred = points - weights @ points / total
    spread = jnp.sqrt(weights @ centred**2 / total)
    return jnp.where(spread > 0, centred / jnp.where(spread > 0, spread, 1), 0)


def _line(points: jax.Array, weights: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(n,) places along the line through two rows of the component at random, and those of both."""
    two = jax.random.categorical(key, jnp.log(weights), shape=(2,))
    ends = points[two]
    places = points @ (ends[1] - ends[0])
    return places, places[two]


def _among_rows(
    points: jax.Array, weights: jax.Array, along: jax.Array, place: jax.Array
) -> jax.Array:
    """At a place that has a random part of the component's rows below."""
    places, _ = _line(points, weights, along)
    low, high = _MIDDLE
    part = jax.random.uniform(place, (), points.dtype, low, high)
    return (places > _quantile(places, weights, part)).astype(points.dtype)


def _nearer(points: jax.Array, weights: jax.Array, along: jax.Array, place: jax.Array) -> jax.Array:
    """Half way between the two rows."""
    del place
    places, ends = _line(points, weights, along)
    return (places > ends.mean()).astype(points.dtype)


def _around(points: jax.Array, weights: jax.Array, along: jax.Array, place: jax.Array) -> jax.Array:
    """A few rows about one at random: small components are missed more often than others."""
    one = jax.random.categorical(along, jnp.log(weights))
    away = ((points - points[one]) ** 2).sum(1)
    low, high = _FEW
    part = jax.random.uniform(place, (), points.dtype, low, high)
    return (away <= _quantile(away, weights, part)).astype(points.dtype)


def _quantile(places: jax.Array, weights: jax.Array, part: jax.Array) -> jax.Array:
    """The place that has this part of the weights below."""
    order = jnp.argsort(places)
    below = jnp.cumsum(weights[order])
    return places[order[jnp.searchsorted(below, part * below[-1])]]


def _by_toss(
    points: jax.Array, weights: jax.Array, along: jax.Array, place: jax.Array
) -> jax.Array:
    del weights, along
    return jax.random.uniform(place, points.shape[:1], points.dtype)
