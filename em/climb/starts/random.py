"""Starts at random: responsibilities that know nothing of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from ._start import Start


@dataclass(frozen=True)
class Random(Start):
    """Uniform on the simplex: exponential numbers over their sum."""

    name = "random"

    def responsibilities(
        self,
        points: jax.Array,
        weights: jax.Array,
        labels: jax.Array | None,
        k: int,
        key: jax.Array,
        hard: bool,
    ) -> jax.Array:
        """(n, k) draws, or their largest entries."""
        draws = jax.random.exponential(key, (*weights.shape, k), weights.dtype)
        draws /= draws.sum(-1, keepdims=True)
        return jax.nn.one_hot(draws.argmax(-1), k, dtype=weights.dtype) if hard else draws
