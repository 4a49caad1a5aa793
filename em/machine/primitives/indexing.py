"""Gathering and scattering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode as Mode

from ._table import TABLE, Array, primitive


def _positions(
    shape: Sequence[int],
    indices: Array,
    sizes: Sequence[int],
    numbers: tuple[Any, Any, Any, Any, Any],
    rank: int,
) -> tuple[list[Array], list[Array]]:
    """The index into each dimension of the operand, as the result is laid out.

    (starts, offsets): the first depend on the result's batch dimensions only.
    """
    window, dropped, start_map, batching, index_batching = numbers
    batch = [d for d in range(rank) if d not in window]
    places = iter(window)
    starts, offsets = [], []
    for d, size in enumerate(sizes):
        offset = np.zeros((1,) * rank, int)
        if d not in dropped and d not in batching:
            wide = [1] * rank
            wide[next(places)] = size
            offset = np.arange(size).reshape(wide)
        start = np.zeros((1,) * rank, int)
        wide = [1] * rank
        if d in start_map:
            found = indices[..., list(start_map).index(d)]
            for place, n in zip(batch, found.shape, strict=True):
                wide[place] = n
            start = found.astype(np.int64).reshape(wide)
        elif d in batching:
            place = batch[index_batching[list(batching).index(d)]]
            wide[place] = shape[d]
            start = np.arange(shape[d]).reshape(wide)
        starts.append(start)
        offsets.append(offset)
    return starts, offsets


def _inside(shape: Sequence[int], starts: list[Array], sizes: Sequence[int]) -> Array:
    found: Any = True
    for n, start, size in zip(shape, starts, sizes, strict=True):
        found = found & (start >= 0) & (start <= n - size)
    return found


def _clamped(shape: Sequence[int], starts: list[Array], sizes: Sequence[int]) -> list[Array]:
    return [np.clip(s, 0, n - m) for s, n, m in zip(starts, shape, sizes, strict=True)]


@primitive("gather")
def _gather(
    x: Array,
    indices: Array,
    *,
    dimension_numbers: Any,
    slice_sizes: Any,
    mode: Any,
    fill_value: Any,
    **_: Any,
) -> Array:
    g = dimension_numbers
    kept = x.ndim - len(g.collapsed_slice_dims) - len(g.operand_batching_dims)
    rank = indices.ndim - 1 + kept
    batching = (g.operand_batching_dims, g.start_indices_batching_dims)
    numbers = (g.offset_dims, g.collapsed_slice_dims, g.start_index_map, *batching)
    starts, offsets = _positions(x.shape, indices, slice_sizes, numbers, rank)
    batch = iter(indices.shape[:-1])
    window = iter(
        s
        for d, s in enumerate(slice_sizes)
        if d not in g.collapsed_slice_dims and d not in g.operand_batching_dims
    )
    shape = tuple(next(window) if d in g.offset_dims else next(batch) for d in range(rank))
    if 0 in shape or 0 in x.shape:
        raise NotImplementedError
    first = _clamped(x.shape, starts, slice_sizes)
    places = tuple(a + b for a, b in zip(first, offsets, strict=True))
    found = np.broadcast_to(x[places] if places else x, shape)
    if mode == Mode.FILL_OR_DROP:
        if fill_value is None:
            kind = x.dtype.kind
            fill_value = np.nan if kind in "fc" else True if kind == "b" else None
        if fill_value is None:
            info = np.iinfo(x.dtype)
            fill_value = info.max if info.min == 0 else info.min
        within = _inside(x.shape, starts, slice_sizes)
        found = np.where(within, found, np.asarray(fill_value).astype(x.dtype))
    return found


def _scatter(combine: Callable[[Array, tuple, Array], Any]) -> Callable:
    def scatter(
        x: Array, indices: Array, updates: Array, *, dimension_numbers: Any, mode: Any, **_: Any
    ) -> Array:
        s = dimension_numbers
        window = iter(s.update_window_dims)
        dropped = s.inserted_window_dims
        batching = (s.operand_batching_dims, s.scatter_indices_batching_dims)
        sizes = [
            1 if d in dropped or d in s.operand_batching_dims else updates.shape[next(window)]
            for d in range(x.ndim)
        ]
        numbers = (s.update_window_dims, dropped, s.scatter_dims_to_operand_dims, *batching)
        starts, offsets = _positions(x.shape, indices, sizes, numbers, updates.ndim)
        within = np.ones((1,) * updates.ndim, bool) & _inside(x.shape, starts, sizes)
        if mode == Mode.CLIP:
            within = np.ones_like(within)
        first = _clamped(x.shape, starts, sizes)
        whole = [np.broadcast_to(a + b, updates.shape) for a, b in zip(first, offsets, strict=True)]
        keep = np.broadcast_to(within, updates.shape)
        out = np.array(x)
        combine(out, tuple(w[keep] for w in whole), updates[keep])
        return out

    return scatter


def _replace(out: Array, places: tuple, values: Array) -> None:
    out[places] = values


TABLE.update(
    {
        "scatter": _scatter(_replace),
        "scatter-add": _scatter(np.add.at),
        "scatter-mul": _scatter(np.multiply.at),
        "scatter-min": _scatter(np.minimum.at),
        "scatter-max": _scatter(np.maximum.at),
    }
)
