"""Soft assignment: EM itself."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ...machine import exp_log as elementary


@dataclass(frozen=True)
class Soft:
    """``r_nk = p(z_n = k | x_n)``; the objective is the observed-data log-likelihood."""

    name = "soft"
    hard: bool = False

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Softmax and log-sum-exp over the components."""
        # The shift cancels from the derivative. Left in, a compiler that computes log_joint twice,
        # rounded differently, would find no entry equal to the maximum, and divide by their number.
        top = jax.lax.stop_gradient(log_joint).max(0)
        top = jnp.maximum(top, jnp.finfo(log_joint.dtype).min)
        # Or XLA may work it out anew in every loop that reads it.
        joint = jax.lax.optimization_barrier(elementary.exp(log_joint - top))
        total = joint.sum(0)
        return joint / total, top + elementary.log(total)
