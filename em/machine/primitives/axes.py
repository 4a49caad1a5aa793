"""Sums, extremes and orders along axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._table import TABLE, Array, primitive


def _reduce(function: Callable) -> Callable:
    def reduce(x: Array, *, axes: Any, **_: Any) -> Array:
        return function(x, axis=tuple(axes)) if axes else x

    return reduce


TABLE.update(
    {
        "reduce_sum": _reduce(lambda x, axis: np.sum(x, axis=axis, dtype=x.dtype)),
        "reduce_prod": _reduce(lambda x, axis: np.prod(x, axis=axis, dtype=x.dtype)),
        "reduce_max": _reduce(np.max),
        "reduce_min": _reduce(np.min),
        "reduce_and": _reduce(np.bitwise_and.reduce),
        "reduce_or": _reduce(np.bitwise_or.reduce),
        "reduce_xor": _reduce(np.bitwise_xor.reduce),
    }
)


def _arg(function: Callable) -> Callable:
    def find(x: Array, *, axes: Any, index_dtype: Any) -> Array:
        return np.asarray(function(x, axis=axes[0])).astype(index_dtype)

    return find


TABLE["argmax"], TABLE["argmin"] = _arg(np.argmax), _arg(np.argmin)


def _cumulate(function: Callable) -> Callable:
    def cumulate(x: Array, *, axis: int, reverse: bool) -> Array:
        x = np.flip(x, axis) if reverse else x
        found = function(x, axis)
        return np.flip(found, axis) if reverse else found

    return cumulate


TABLE.update(
    {
        "cumsum": _cumulate(lambda x, axis: np.cumsum(x, axis, dtype=x.dtype)),
        "cumprod": _cumulate(lambda x, axis: np.cumprod(x, axis, dtype=x.dtype)),
        "cummax": _cumulate(np.maximum.accumulate),
        "cummin": _cumulate(np.minimum.accumulate),
        "cumlogsumexp": _cumulate(np.logaddexp.accumulate),
    }
)


@primitive("sort")
def _sort(*arrays: Array, dimension: int, num_keys: int, **_: Any) -> list[Array]:
    if len(arrays) == 1:
        return [np.sort(arrays[0], axis=dimension, kind="stable")]
    order = np.lexsort(arrays[:num_keys][::-1], axis=dimension)
    return [np.take_along_axis(a, order, dimension) for a in arrays]
