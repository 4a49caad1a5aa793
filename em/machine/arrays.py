"""Arrays of JAX from NumPy's, without a compilation for each new shape."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np


def array(value: Any, dtype: Any = None) -> jax.Array:
    """`jax.numpy.asarray` of what is known: JAX 0.12 compiles a program for that, by shape."""
    return value if isinstance(value, jax.Array) else jax.device_put(np.asarray(value, dtype))
