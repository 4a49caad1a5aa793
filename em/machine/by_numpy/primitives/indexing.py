"""Gathering and scattering.

Loops use the same indices again and again: where these lead to is kept for the last ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from jax.lax import GatherScatterMode as Mode

from ._table import TABLE, Array, prepared


class _Places(NamedTuple):
    """Where indices lead: an operand seen as (lead, rest), whose windows have all of ``lead``.

    ``lead`` counts the leading dimensions, here as in the result. ``where`` is into the rest, a
    slice where it is one, of ``shape`` as the result has it; ``inside`` says what of that is within
    bounds, None if all is.
    """

    lead: int
    shape: tuple[int, ...]
    where: Any
    inside: Array | None

    def distinct(self) -> bool:
        """Whether no place comes twice."""
        return isinstance(self.where, slice) or bool(np.bincount(self.where).max(initial=0) <= 1)


class _Dimensions(NamedTuple):
    """Those of a gather or scatter: of its windows, without one, and that the indices are of."""

    window: tuple[int, ...]
    dropped: tuple[int, ...]
    start_map: tuple[int, ...]
    batching: tuple[int, ...]
    index_batching: tuple[int, ...]

    def places(
        self, shape: Sequence[int], indices: Array, sizes: Sequence[int], result: Sequence[int]
    ) -> _Places:
        """Windows of ``sizes`` of an operand of ``shape``."""
        starts, offsets = self._positions(shape, indices, sizes, len(result))
        lead = 0
        while self._whole(lead, shape, sizes):
            lead += 1
        inside: Any = np.True_
        flat: Any = np.zeros((1,) * len(result), np.int64)
        for d in range(len(shape)):
            start, most = starts[d], shape[d] - sizes[d]
            inside = inside & (start >= 0) & (start <= most)
            if d >= lead:
                flat = flat * shape[d] + np.clip(start, 0, most) + offsets[d]
        rest = tuple(result[lead:])
        where: Any = np.broadcast_to(flat.reshape(flat.shape[lead:]), rest).ravel()
        first = where[0] if where.size else 0
        if where.size and np.array_equal(where, np.arange(first, first + len(where))):
            where = slice(int(first), int(first) + len(where))
        if inside.all():
            return _Places(lead, rest, where, None)
        inside = np.broadcast_to(inside.reshape(inside.shape[lead:]), rest)
        return _Places(lead, rest, where, inside)

    def _whole(self, d: int, shape: Sequence[int], sizes: Sequence[int]) -> bool:
        """Whether windows have all of dimension d, which is the result's dimension d as well."""
        known = {*self.dropped, *self.batching, *self.start_map}
        same = d < len(shape) and d < len(self.window) and self.window[d] == d
        return same and d not in known and sizes[d] == shape[d]

    def _positions(
        self, shape: Sequence[int], indices: Array, sizes: Sequence[int], rank: int
    ) -> tuple[list[Array], list[Array]]:
        """The index into each dimension of the operand, as the result is laid out.

        (starts, offsets): the first depend on the result's batch dimensions only.
        """
        batch = [d for d in range(rank) if d not in self.window]
        places = iter(self.window)
        starts, offsets = [], []
        for d, size in enumerate(sizes):
            offset = np.zeros((1,) * rank, np.int64)
            if d not in self.dropped and d not in self.batching:
                offset = np.arange(size).reshape(_along(rank, {next(places): size}))
            start = np.zeros((1,) * rank, np.int64)
            if d in self.start_map:
                found = indices[..., self.start_map.index(d)]
                wide = _along(rank, dict(zip(batch, found.shape, strict=True)))
                start = found.astype(np.int64).reshape(wide)
            elif d in self.batching:
                place = batch[self.index_batching[self.batching.index(d)]]
                start = np.arange(shape[d]).reshape(_along(rank, {place: shape[d]}))
            starts.append(start)
            offsets.append(offset)
        return starts, offsets


def _along(rank: int, sizes: dict[int, int]) -> list[int]:
    return [sizes.get(d, 1) for d in range(rank)]


# Loops that go round a few indices, as over the pairs of a matrix's columns, find all of them here.
_KEPT, _LITTLE = 64, 1 << 12


def _remembered[Found](find: Callable[..., Found]) -> Callable[..., Found]:
    """``find(indices, *arrays)``, which shapes settle but for the indices, for the last of them.

    Of large ones the very last.
    """
    kept: dict[bytes, Found] = {}

    def places(indices: Array, *arrays: Array) -> Found:
        key = indices.tobytes()
        found = kept.get(key)
        if found is None:
            if len(kept) >= (_KEPT if max(a.size for a in arrays) <= _LITTLE else 1):
                del kept[next(iter(kept))]
            kept[key] = found = find(indices, *arrays)
        return found

    return places


@prepared("gather")
def _gather(
    *, dimension_numbers: Any, slice_sizes: Any, mode: Any, fill_value: Any, **_: Any
) -> Callable:
    g = dimension_numbers
    apart = (*g.collapsed_slice_dims, *g.operand_batching_dims)
    own = [size for d, size in enumerate(slice_sizes) if d not in apart]
    dimensions = _Dimensions(
        g.offset_dims,
        g.collapsed_slice_dims,
        g.start_index_map,
        g.operand_batching_dims,
        g.start_indices_batching_dims,
    )

    def result(indices: Array) -> list[int]:
        batch, window = iter(indices.shape[:-1]), iter(own)
        rank = indices.ndim - 1 + len(own)
        return [next(window) if d in g.offset_dims else next(batch) for d in range(rank)]

    @_remembered
    def places(indices: Array, x: Array) -> _Places:
        return dimensions.places(x.shape, indices, slice_sizes, result(indices))

    def gather(x: Array, indices: Array) -> Array:
        if 0 in x.shape or 0 in indices.shape[:-1] or 0 in own:
            raise NotImplementedError
        lead, shape, where, inside = places(indices, x)
        wide = x.reshape(prod(x.shape[:lead]), -1)
        found = wide[:, where] if isinstance(where, slice) else wide.take(where, 1)
        found = found.reshape(*x.shape[:lead], *shape)
        if inside is None or mode != Mode.FILL_OR_DROP:
            return found
        value = _filling(x.dtype) if fill_value is None else fill_value
        return np.where(inside, found, np.asarray(value).astype(x.dtype))

    return gather


def _filling(dtype: np.dtype) -> Any:
    """What stands in place of what is out of bounds."""
    if dtype.kind in "fc":
        return np.nan
    if dtype.kind == "b":
        return True
    info = np.iinfo(dtype)
    return info.max if info.min == 0 else info.min


def _scatter(combine: np.ufunc | None) -> Callable:
    """How old and new are combined; None: the new replaces the old, the last one if several do."""

    def make(*, dimension_numbers: Any, mode: Any, **_: Any) -> Callable:
        s = dimension_numbers
        dimensions = _Dimensions(
            s.update_window_dims,
            s.inserted_window_dims,
            s.scatter_dims_to_operand_dims,
            s.operand_batching_dims,
            s.scatter_indices_batching_dims,
        )
        apart = (*dimensions.dropped, *dimensions.batching)

        @_remembered
        def places(indices: Array, x: Array, updates: Array) -> tuple[_Places, bool]:
            window: Iterator[int] = iter(dimensions.window)
            sizes = [1 if d in apart else updates.shape[next(window)] for d in range(x.ndim)]
            found = dimensions.places(x.shape, indices, sizes, updates.shape)
            return found, combine is not None and found.distinct()

        def scatter(x: Array, indices: Array, updates: Array) -> Array:
            out = np.array(x, order="C")
            if 0 in updates.shape:
                return out
            (lead, _, where, inside), distinct = places(indices, x, updates)
            wide = out.reshape(prod(x.shape[:lead]), -1)
            values = updates.reshape(len(wide), -1)
            if inside is not None and mode != Mode.CLIP:
                every = np.arange(*where.indices(wide.shape[1])) if type(where) is slice else where
                keep = inside.ravel()
                where, values = every[keep], values[:, keep]
            if combine is None:
                wide[:, where] = values
            elif distinct:
                wide[:, where] = combine(wide[:, where], values)
            else:
                combine.at(wide, (slice(None), where), values)  # type: ignore[arg-type]
            return out

        return scatter

    return make


TABLE.update(
    {
        "scatter": _scatter(None),
        "scatter-add": _scatter(np.add),
        "scatter-mul": _scatter(np.multiply),
        "scatter-min": _scatter(np.minimum),
        "scatter-max": _scatter(np.maximum),
    }
)
