"""Anything that has a shape and slices: NumPy's memmaps, zarr, h5py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ._source import Source, numbers_of_columns, taken


class Sliced(Source):
    """``source[a:b]`` gives its rows from a to b as an array."""

    place = 30

    def __init__(self, source: Any, columns: Any) -> None:
        self.source = source
        self.num_rows = int(source.shape[0])
        self.columns = numbers_of_columns(columns, tuple(source.shape))

    @classmethod
    def takes(cls, source: Any) -> bool:
        """Whether it has a shape of at least one axis."""
        shape = getattr(source, "shape", None)
        return isinstance(shape, tuple) and len(shape) > 0 and hasattr(source, "__getitem__")

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """One slice after the other."""
        assert self.num_rows is not None
        for first in range(0, self.num_rows, size):
            yield taken(np.asarray(self.source[first : first + size]), self.columns)
