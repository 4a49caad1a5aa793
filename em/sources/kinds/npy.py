"""NumPy's ``.npy`` files, of which only the rows of a batch are mapped into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ._source import Source, numbers_of_columns, taken


class Npy(Source):
    """One array in a file; a map of all of it would count as memory, page by page as it is read."""

    place = 10

    def __init__(self, source: Any, columns: Any) -> None:
        self.path = Path(source)
        try:
            whole = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"{self.path} cannot be read as a .npy file: {error}") from error
        if whole.ndim == 0 or whole.dtype.kind not in "biuf":
            raise ValueError(
                f"{self.path} holds an array of shape {whole.shape} and dtype {whole.dtype}; rows "
                "of numbers are needed"
            )
        self.shape, self.dtype, self.offset = whole.shape, whole.dtype, whole.offset
        if not whole.flags.c_contiguous:
            raise ValueError(
                f"{self.path} holds its array column by column (Fortran order), so that its rows "
                "lie apart; write it anew with np.save(path, np.ascontiguousarray(x))"
            )
        self.num_rows = int(whole.shape[0])
        self.columns = numbers_of_columns(columns, whole.shape)

    @classmethod
    def takes(cls, source: Any) -> bool:
        """Whether it is the path of one."""
        return isinstance(source, str | os.PathLike) and Path(source).suffix == ".npy"

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """The rows of a batch, mapped for as long as they are copied."""
        assert self.num_rows is not None
        row = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        for first in range(0, self.num_rows, size):
            shape = (min(size, self.num_rows - first), *self.shape[1:])
            at = self.offset + first * row
            mapped = np.memmap(self.path, self.dtype, "r", at, shape)
            yield np.array(taken(mapped, self.columns))

    def where(self, row: int) -> str:
        """With the file."""
        return f"row {row} of {self.path}"
