"""Hard assignment: classification EM."""

from __future__ import annotations

from dataclasses import dataclass

import jax


@dataclass(frozen=True)
class Hard:
    """Each row to its best component; the objective is the classification log-likelihood.

    Celeux & Govaert (1992), Computational Statistics & Data Analysis 14:315.
    """

    name = "hard"
    hard: bool = True

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One-hot of the largest, and the largest."""
        best = jax.nn.one_hot(log_joint.argmax(0), len(log_joint), dtype=log_joint.dtype, axis=0)
        return best, log_joint.max(0)
