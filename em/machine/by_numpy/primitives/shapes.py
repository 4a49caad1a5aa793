"""Shapes and places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._table import Array, prepared, primitive


@prepared("broadcast_in_dim")
def _broadcast_in_dim(*, shape: Any, broadcast_dimensions: Any, **_: Any) -> Callable:
    rank = len(shape)
    strides: tuple[int, ...] | None = None  # of the result, an equation's operands being of a kind

    def broadcast(x: Array) -> Array:
        nonlocal strides
        array = np.asarray(x)
        if not array.flags.c_contiguous:
            ones = [1] * rank
            for dim, size in zip(broadcast_dimensions, array.shape, strict=True):
                ones[dim] = size
            return np.broadcast_to(array.reshape(ones), shape)
        # What `np.broadcast_to` does, which takes seven times as long to see that it may.
        if strides is None:
            by = [0] * rank
            own = zip(broadcast_dimensions, array.shape, array.strides, strict=True)
            for dim, size, stride in own:
                by[dim] = stride if size != 1 else 0
            strides = tuple(by)
        return np.ndarray(shape, array.dtype, array, 0, strides)

    return broadcast


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


@prepared("slice")
def _slice(*, start_indices: Any, limit_indices: Any, strides: Any) -> Callable:
    by = strides or (1,) * len(start_indices)
    places = tuple(map(slice, start_indices, limit_indices, by))
    return lambda x: x[places]


@prepared("split")
def _split(*, sizes: Any, axis: int) -> Callable:
    ends = np.cumsum(sizes).tolist()
    before = (slice(None),) * axis
    parts = [(*before, slice(end - size, end)) for size, end in zip(sizes, ends, strict=True)]
    return lambda x: [x[part] for part in parts]


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


@prepared("pad")
def _pad(*, padding_config: Any) -> Callable:
    config = tuple(padding_config)
    low = [max(a, 0) for a, _, _ in config]
    added = [max(a, 0) + max(b, 0) for a, b, _ in config]
    inner = [c for _, _, c in config]
    cut = any(a < 0 or b < 0 for a, b, _ in config)

    def pad(x: Array, value: Array) -> Array:
        long = [n + max(n - 1, 0) * c for n, c in zip(x.shape, inner, strict=True)]
        sizes = [n + a for n, a in zip(long, added, strict=True)]
        out = np.full(sizes, value, x.dtype)
        by = zip(low, long, inner, strict=True)
        out[tuple([slice(a, a + n, c + 1) for a, n, c in by])] = x
        if not cut:
            return out
        ends = zip(sizes, config, strict=True)
        return out[tuple([slice(max(-a, 0), n - max(-b, 0)) for n, (a, b, _) in ends])]

    return pad
