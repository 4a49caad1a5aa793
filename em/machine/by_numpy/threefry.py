"""JAX's random numbers by NumPy: Threefry 2x32 (Salmon et al. 2011, SC '11), bit for bit.

A key is its two words, on a last axis of length 2; keys may have axes before it. As JAX draws them
with ``jax_threefry_partitionable``, which is its default.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def threefry2x32(first: Array, second: Array, x: Array, y: Array) -> list[Array]:
    """Two words of each count ``(x, y)``, enciphered by the key ``(first, second)``."""
    keys = (first, second, first ^ second ^ _PARITY)
    x, y = x + keys[0], y + keys[1]
    for number in range(5):
        for rotation in _ROTATIONS[number % 2]:
            x = x + y
            y = ((y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))) ^ x
        x = x + keys[(number + 1) % 3]
        y = y + keys[(number + 2) % 3] + np.uint32(number + 1)
    return [x, y]


def seed(number: Array) -> Array:
    """The key of a whole number."""
    wide = np.asarray(number)
    unsigned = wide.astype(np.uint64 if wide.dtype.itemsize == 8 else np.uint32).astype(np.uint64)
    return np.stack([unsigned >> np.uint64(32), unsigned & np.uint64(0xFFFFFFFF)], -1).astype(
        np.uint32
    )


def split(keys: Array, shape: tuple[int, ...]) -> Array:
    """Keys (..., *shape, 2) of keys (..., 2)."""
    return np.stack(_counted(keys, shape), -1)


def fold_in(keys: Array, number: Array) -> Array:
    """The key that a key and a whole number (each of any shape) make."""
    low = np.asarray(number).astype(np.uint32)
    return np.stack(threefry2x32(keys[..., 0], keys[..., 1], np.zeros_like(low), low), -1)


def bits(keys: Array, bit_width: int, shape: tuple[int, ...]) -> Array:
    """Random words (..., *shape) of so many bits."""
    high, low = _counted(keys, shape)
    if bit_width == 64:
        return (high.astype(np.uint64) << np.uint64(32)) | low.astype(np.uint64)
    return (high ^ low).astype(f"uint{bit_width}")


def _counted(keys: Array, shape: tuple[int, ...]) -> list[Any]:
    counts = np.arange(int(np.prod(shape)), dtype=np.uint64).reshape(shape)
    words = (counts >> np.uint64(32)).astype(np.uint32), counts.astype(np.uint32)
    wide = keys.reshape(*keys.shape[:-1], *[1] * len(shape), 2)
    return threefry2x32(wide[..., 0], wide[..., 1], *words)
