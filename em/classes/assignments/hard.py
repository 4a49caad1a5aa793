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
        number, first, top = _best(log_joint)
        return (number == first).astype(log_joint.dtype), top

    def choose(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(n,) which is the largest, and the largest."""
        _, first, top = _best(log_joint)
        return first.astype(int), top


def _best(log_joint: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Numbers (k, 1) as floats; the first of each row's largest by them; the largest."""
    top = log_joint.max(0)
    # By minima of whole rows: XLA's argmax goes number by number.
    number = jnp.arange(len(log_joint), dtype=log_joint.dtype)[:, None]
    return number, jnp.where(log_joint == top, number, len(log_joint)).min(0), top
