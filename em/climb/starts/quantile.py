"""The start by quantiles: groups of equal weight along one axis."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ._start import Start, softened


@dataclass(frozen=True)
class Quantile(Start):
    """k groups of equal weight along the first principal axis."""

    name = "quantile"
    chance = False

    def responsibilities(
        self,
        points: jax.Array,
        weights: jax.Array,
        labels: jax.Array | None,
        k: int,
        key: jax.Array,
        hard: bool,
    ) -> jax.Array:
        """(n, k) the groups, softened; no key is needed."""
        return softened(_groups(points, weights, k), k, hard, weights.dtype)


def _groups(points: jax.Array, weights: jax.Array, k: int) -> jax.Array:
    """(n,) which of k groups each point is in."""
    centred = points - weights @ points / weights.sum()
    covariance = (centred * weights[:, None]).T @ centred
    axis = jnp.linalg.eigh(covariance)[1][:, -1]
    score = centred @ (axis * jnp.where(axis.sum() < 0, -1, 1))
    order = jnp.argsort(score)
    below = jnp.cumsum(weights[order]) - weights[order] / 2
    group = jnp.clip((below / weights.sum() * k).astype(int), 0, k - 1)
    return jnp.zeros_like(group).at[order].set(group)
