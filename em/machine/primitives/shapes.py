"""Shapes and places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._table import Array, primitive


@primitive("broadcast_in_dim")
def _broadcast_in_dim(x: Array, *, shape: Any, broadcast_dimensions: Any, **_: Any) -> Array:
    array = np.asarray(x)
    if not array.flags.c_contiguous:
        ones = [1] * len(shape)
        for dim, size in zip(broadcast_dimensions, array.shape, strict=True):
            ones[dim] = size
        return np.broadcast_to(array.reshape(ones), shape)
    # What `np.broadcast_to` does, which takes seven times as long to see that it may.
    strides = [0] * len(shape)
    for dim, size, stride in zip(broadcast_dimensions, array.shape, array.strides, strict=True):
        strides[dim] = stride if size != 1 else 0
    return np.ndarray(shape, array.dtype, array, 0, strides)


@primitive("reshape")
def _reshape(x: Array, *, new_sizes: Any, dimensions: Any, **_: Any) -> Array:
    if dimensions is not None:
        x = np.transpose(x, dimensions)
    return np.reshape(x, new_sizes)


@primitive("squeeze")
def _squeeze(x: Array, *, dimensions: Any) -> Array:
    return np.squeeze(x, axis=tuple(dimensions))


@primitive("transpose")
def _transpose(x: Array, *, permutation: Any) -> Array:
    return np.transpose(x, permutation)


@primitive("rev")
def _rev(x: Array, *, dimensions: Any) -> Array:
    return np.flip(x, tuple(dimensions))


@primitive("concatenate")
def _concatenate(*parts: Array, dimension: int) -> Array:
    return np.concatenate(parts, axis=dimension)


@primitive("stack")
def _stack(*parts: Array, axis: int) -> Array:
    return np.stack(parts, axis=axis)


@primitive("iota")
def _iota(*, dtype: Any, shape: Any, dimension: int, **_: Any) -> Array:
    ones = [1] * len(shape)
    ones[dimension] = shape[dimension]
    return np.broadcast_to(np.arange(shape[dimension], dtype=dtype).reshape(ones), shape)


@primitive("slice")
def _slice(x: Array, *, start_indices: Any, limit_indices: Any, strides: Any) -> Array:
    by = strides or (1,) * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, by))]


@primitive("split")
def _split(x: Array, *, sizes: Any, axis: int) -> list[Array]:
    return np.split(x, np.cumsum(sizes)[:-1], axis=axis)


@primitive("unstack")
def _unstack(x: Array, *, axis: int) -> list[Array]:
    return list(np.moveaxis(x, axis, 0))


@primitive("dynamic_slice")
def _dynamic_slice(x: Array, *starts: Array, slice_sizes: Any) -> Array:
    return x[_window(x.shape, starts, slice_sizes)]


@primitive("dynamic_update_slice")
def _dynamic_update_slice(x: Array, update: Array, *starts: Array) -> Array:
    out = np.array(x)
    out[_window(x.shape, starts, update.shape)] = update
    return out


def _window(shape: Any, starts: Sequence[Array], sizes: Any) -> tuple[slice, ...]:
    first = [min(max(int(s), 0), n - m) for s, n, m in zip(starts, shape, sizes, strict=True)]
    return tuple(slice(a, a + m) for a, m in zip(first, sizes, strict=True))


@primitive("pad")
def _pad(x: Array, value: Array, *, padding_config: Any) -> Array:
    sizes, places, cuts = [], [], []
    for n, (low, high, inner) in zip(x.shape, padding_config, strict=True):
        long = n + max(n - 1, 0) * inner
        before, after = max(low, 0), max(high, 0)
        sizes.append(before + long + after)
        places.append(slice(before, before + long, inner + 1))
        cuts.append(slice(max(-low, 0), before + long + after - max(-high, 0)))
    out = np.full(sizes, value, x.dtype)
    out[tuple(places)] = x
    return out[tuple(cuts)]
