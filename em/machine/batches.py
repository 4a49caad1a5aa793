"""A function of each of many inputs, as many side by side as there is room for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np


def in_batches(number: int, together: int) -> Callable[[Callable], Callable]:
    """`jax.vmap` over ``number`` inputs, but no more than so many at a time."""
    if number <= together:
        return jax.vmap
    if together <= 1:
        return lambda function: partial(jax.lax.map, function)
    batches = -(-number // together)
    size = -(-number // batches)
    # The last input again where there are too few, or JAX would trace the rest by itself.
    places = np.minimum(np.arange(batches * size), number - 1)

    def filled(values: jax.Array) -> jax.Array:
        return values[places].reshape(batches, size, *values.shape[1:])

    def flat(values: jax.Array) -> jax.Array:
        return values.reshape(-1, *values.shape[2:])[:number]

    def mapped(function: Callable) -> Callable:
        def run(inputs: Any) -> Any:
            found = jax.lax.map(jax.vmap(function), jax.tree.map(filled, inputs))
            return jax.tree.map(flat, found)

        return run

    return mapped
