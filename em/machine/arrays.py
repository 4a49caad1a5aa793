"""Arrays of JAX: from NumPy's, and their products in full precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def array(value: Any, dtype: Any = None) -> jax.Array:
    """`jax.numpy.asarray` of what is known: JAX 0.12 compiles a program for that, by shape."""
    return value if isinstance(value, jax.Array) else jax.device_put(np.asarray(value, dtype))


def product(a: Any, b: Any) -> jax.Array:
    """A matrix product of full precision, on every device."""
    return jnp.matmul(a, b, precision="highest")
