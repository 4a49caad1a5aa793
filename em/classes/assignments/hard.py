"""Hard assignment: classification EM."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class Hard:
    """Each row to its best component; the objective is the classification log-likelihood.

    Celeux & Govaert (1992), Computational Statistics & Data Analysis 14:315.
    """

    name = "hard"
    hard: bool = True

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One-hot of the largest, and the largest."""
        top = log_joint.max(0)
        # The first of the largest, by minima of whole rows: XLA's argmax goes number by number.
        number = jnp.arange(len(log_joint), dtype=log_joint.dtype)[:, None]
        first = jnp.where(log_joint == top, number, len(log_joint)).min(0)
        return (number == first).astype(log_joint.dtype), top
