"""Cuts at random along a direction at random."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ._start import Start, softened
from .random import Random

# A small group would be drowned by a tenth of all the others.
_SOFTNESS = 0.01


@dataclass(frozen=True)
class RandomCuts(Start):
    """Slices of unequal width: the rows' range along a random direction, cut at k - 1 places.

    The cuts are uniform on the range, not among the rows, so that wide gaps are hit often: a small
    group far from the others begins as a component of its own.
    """

    name = "random cuts"
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
        """(n, k) the slices, softened; labels are left to the first M-step."""
        along, cutting = jax.random.split(key)
        direction = jax.random.normal(along, points.shape[1:], points.dtype)
        places = points @ direction
        low = jnp.where(weights > 0, places, jnp.inf).min()
        high = jnp.where(weights > 0, places, -jnp.inf).max()
        cuts = low + (high - low) * jax.random.uniform(cutting, (k - 1,), points.dtype)
        groups = (places[:, None] > cuts).sum(1)
        return softened(groups, k, hard, points.dtype, _SOFTNESS)
