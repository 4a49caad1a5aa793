"""What the equation itself tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._table import Array, prepared, primitive


@primitive("platform_index")
def _platform_index(*, platforms: Any) -> Array:
    fitting = (i for i, names in enumerate(platforms) if names is None or "cpu" in names)
    return np.asarray(next(fitting), np.int32)


@prepared("call_hi_primitive")
def _high(*, _prim: Any) -> Callable:
    """A function of `jax.numpy` that JAX leaves whole."""
    return _HIGH.get(type(_prim).__name__, _unknown)(_prim)


def _nonzero(prim: Any) -> Callable:
    """The places that are not 0, filled up with 0: of indices of triangles and the like."""
    size = prim.size

    def nonzero(x: Array, *fill: Array) -> list[Array]:
        if fill or size is None or prim.axes != tuple(range(x.ndim)):
            raise NotImplementedError
        out = []
        for found in np.nonzero(x):
            whole = np.zeros(size, int)
            whole[: min(size, len(found))] = found[:size]
            out.append(whole)
        return out

    return nonzero


def _search_sorted(prim: Any) -> Callable:
    """Where numbers belong in a sorted row of others, as in drawing by cumulated probabilities."""

    def search(row: Array, numbers: Array) -> list[Array]:
        if row.ndim != 1:
            raise NotImplementedError
        return [np.asarray(np.searchsorted(row, numbers, prim.side))]

    return search


def _unknown(_: Any) -> Callable:
    def run(*_: Array) -> Any:
        raise NotImplementedError

    return run


_HIGH = {"Nonzero": _nonzero, "SearchSorted": _search_sorted}
