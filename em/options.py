"""Options, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def as_key(rng_key: Any) -> jax.Array:
    """A JAX key, of the new or of the old kind; a whole number is the seed of one."""
    whole = isinstance(rng_key, int | np.integer) and not isinstance(rng_key, bool)
    if whole and 0 <= rng_key < 2**32:
        return jax.random.key(int(rng_key))
    if isinstance(rng_key, jax.Array):
        typed = jnp.issubdtype(rng_key.dtype, jax.dtypes.prng_key) and rng_key.shape == ()
        if typed or (rng_key.dtype == jnp.uint32 and rng_key.shape == (2,)):
            return rng_key
    raise ValueError(
        f"rng_key must be a JAX key, such as jax.random.key(0), or its seed, not {rng_key!r}"
    )


def positive(name: str, value: Any) -> None:
    """Refuse what is no whole number >= 1."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number >= 1, not {value!r}")


def chosen(option: str, value: Any, catalogue: Mapping[str, Any], kind: Any) -> Any:
    """The entry of a catalogue that a name means, or a value of that kind as it is."""
    if isinstance(value, str):
        if value not in catalogue:
            raise ValueError(f"{option} {value!r} is not available; use {either(catalogue)}")
        return catalogue[value]
    if not isinstance(value, kind) or isinstance(value, type):
        raise ValueError(f"{option} must be a name or {_a(kind.__name__)} value, not {value!r}")
    return value


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOU' else 'a'} {noun}"


def either(names: Any) -> str:
    """``'a' or 'b'``."""
    return " or ".join(map(repr, names))
