"""How a log joint becomes responsibilities: the one thing in which EM's variants differ."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from ..machine import exp_log as elementary


class Assign(Protocol):
    """Turns a log joint into responsibilities.

    Called with ``log_joint`` (k, n), rows last, it returns the responsibilities (k, n), whose
    columns sum to 1, and each row's term (n,) of the objective that this variant climbs.
    ``hard`` says that responsibilities are 0 or 1, so that the loop may stop when no row changes
    its component.
    """

    @property
    def hard(self) -> bool:
        """Whether responsibilities are 0 or 1."""
        ...

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Responsibilities (k, n) and objective (n,)."""
        ...


def in_chunk(assign: Assign, number: Any) -> Assign:
    """The assignment of a chunk of rows: those that draw have a key for each (``in_chunk``)."""
    own = getattr(assign, "in_chunk", None)
    return assign if own is None else own(number)


class Soft(NamedTuple):
    """``r_nk = p(z_n = k | x_n)``; the objective is the observed-data log-likelihood."""

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


class Hard(NamedTuple):
    """Each row to its best component; the objective is the classification log-likelihood.

    Celeux & Govaert (1992), Computational Statistics & Data Analysis 14:315.
    """

    hard: bool = True

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One-hot of the largest, and the largest."""
        best = jax.nn.one_hot(log_joint.argmax(0), len(log_joint), dtype=log_joint.dtype, axis=0)
        return best, log_joint.max(0)
