"""Sums, extremes and orders along axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._table import TABLE, Array, primitive


def _reduce(function: np.ufunc) -> Callable:
    def make(*, axes: Any, **_: Any) -> Callable:
        if not axes:
            return lambda x: x
        own = tuple(axes)
        return lambda x: function.reduce(x, axis=own, dtype=x.dtype)

    return make


TABLE.update(
    {
        "reduce_sum": _reduce(np.add),
        "reduce_prod": _reduce(np.multiply),
        "reduce_max": _reduce(np.maximum),
        "reduce_min": _reduce(np.minimum),
        "reduce_and": _reduce(np.bitwise_and),
        "reduce_or": _reduce(np.bitwise_or),
        "reduce_xor": _reduce(np.bitwise_xor),
    }
)


def _arg(function: Callable) -> Callable:
    def make(*, axes: Any, index_dtype: Any) -> Callable:
        return lambda x: np.asarray(function(x, axis=axes[0])).astype(index_dtype)

    return make


TABLE["argmax"], TABLE["argmin"] = _arg(np.argmax), _arg(np.argmin)


def _cumulate(function: np.ufunc) -> Callable:
    def make(*, axis: int, reverse: bool) -> Callable:
        def cumulate(x: Array) -> Array:
            found = function.accumulate(np.flip(x, axis) if reverse else x, axis, dtype=x.dtype)
            return np.flip(found, axis) if reverse else found

        return cumulate

    return make


TABLE.update(
    {
        "cumsum": _cumulate(np.add),
        "cumprod": _cumulate(np.multiply),
        "cummax": _cumulate(np.maximum),
        "cummin": _cumulate(np.minimum),
        "cumlogsumexp": _cumulate(np.logaddexp),
    }
)


@primitive("sort")
def _sort(*arrays: Array, dimension: int, num_keys: int, **_: Any) -> list[Array]:
    if len(arrays) == 1:
        return [np.sort(arrays[0], axis=dimension, kind="stable")]
    order = np.lexsort(arrays[:num_keys][::-1], axis=dimension)
    return [np.take_along_axis(a, order, dimension) for a in arrays]
