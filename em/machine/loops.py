"""`jax.lax.while_loop` that `jax.vmap` reads once.

Under ``vmap`` JAX reads a body again for each part of the carry that turns out to differ among the
functions, and once more for the rest: three times, and nine times a loop within a loop. If all
parts differ at the start once is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def while_loop[T](
    goes_on: Callable[[T], jax.Array], again: Callable[[T], T], first: T, like: jax.Array
) -> T:
    """`jax.lax.while_loop` from ``first``, all of which is batched where ``like`` is."""
    found: T = jax.lax.while_loop(goes_on, again, batched(first, like))
    return found


def batched(values: Any, like: jax.Array) -> Any:
    """The same arrays, each of which is batched where ``like`` is."""
    never = (like < like).any()

    def same(value: Any) -> jax.Array:
        value = jnp.asarray(value)
        return jax.lax.select_n(never, value, value)

    return jax.tree.map(same, values)
