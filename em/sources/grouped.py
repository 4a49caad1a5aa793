"""Rows of a long table that belong together, a group (a person, a sequence) at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from .kinds import Source
from .regrouped import regrouped

# Rows that are looked at at a time.
_ROWS = 1 << 16


class Grouped(Source):
    """A row for each group: an array (length, ...) of its rows, NaN after the last of them.

    ``ids`` tells by row which group it is; groups follow one another in ascending order, so that
    none is cut. With ``mask_of``, that of the rows, True for these and False for what fills up.
    """

    def __init__(
        self,
        rows: Source,
        ids: Source,
        length: int | None = None,
        mask_of: Grouped | None = None,
    ) -> None:
        self.rows, self.ids, self.mask_of = rows, ids, mask_of
        self._given = length

    @cached_property
    def length(self) -> int:
        """The rows of the longest group, or as many as were asked for."""
        if self.mask_of is not None:
            return self.mask_of.length
        most = max((int(sizes.max()) for _, sizes in self._groups() if len(sizes)), default=1)
        if self._given is None:
            return most
        if most > self._given:
            raise ValueError(
                f"the Batches have a group of {most} rows, and length={self._given}: give the "
                "length of the longest, or leave it out"
            )
        return self._given

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """So many groups at a time, about."""
        length = self.length
        rows = regrouped(self.rows.blocks(_ROWS), _ROWS)
        left: np.ndarray | None = None
        for ids, sizes in self._groups():
            if not len(ids):
                continue
            parts = [] if left is None else [left]
            while sum(map(len, parts)) < sizes.sum():
                part = next(rows, None)
                if part is None:
                    raise ValueError("the columns of the Batches have different numbers of rows")
                parts.append(part)
            whole = np.concatenate(parts)
            left = whole[sizes.sum() :]
            for first in range(0, len(ids), size):
                own = sizes[first : first + size]
                begin = sizes[:first].sum()
                yield self._filled(whole[begin : begin + own.sum()], own, length)

    def _filled(self, rows: np.ndarray, sizes: np.ndarray, length: int) -> np.ndarray:
        there = np.arange(length) < sizes[:, None]
        if self.mask_of is not None:
            return there
        kind = rows.dtype if rows.dtype.kind == "f" else np.dtype(float)
        out = np.full((len(sizes), length, *rows.shape[1:]), np.nan, kind)
        out[there] = rows
        return out

    def _groups(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Ids and sizes of the groups that end within a stretch of rows, one after the other."""
        last: Any = None
        size, row = 0, 0
        for ids in regrouped(self.ids.blocks(_ROWS), _ROWS):
            if ids.ndim != 1:
                raise ValueError("by= names one column, of a number for each group")
            known = ids if last is None else np.append(last, ids)
            falls = np.flatnonzero(~(np.diff(known) >= 0))
            if len(falls):
                at = row + int(falls[0]) + (last is None)
                raise ValueError(
                    f"the groups of by= are not in ascending order at {self.ids.where(at)}; sort "
                    "the rows by them, so that the rows of a group follow one another"
                )
            starts = np.flatnonzero(np.diff(ids, prepend=ids[0]))
            begun = [] if last is None or last == ids[0] else [size]
            edges = np.concatenate([[0], starts, [len(ids)]])
            sizes = np.diff(edges)
            if last is not None and not begun:
                sizes[0] += size
            names = np.concatenate([[last] if begun else [], ids[edges[:-1]]])
            sizes = np.concatenate([begun, sizes]).astype(int)
            yield names[:-1], sizes[:-1]
            last, size, row = ids[-1], int(sizes[-1]), row + len(ids)
        if last is not None:
            yield np.array([last]), np.array([size])

    def where(self, row: int) -> str:
        """A group, counted from 0."""
        return f"group {row}"
