"""What a kind of source has to do."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np


class Source:
    """Rows that are read in order, as often as asked for.

    Attributes:
        place: of all kinds that take a source the one of the lowest place reads it.
        num_rows: how many rows there are, where that is known before they are read.
    """

    place: ClassVar[int]
    num_rows: int | None = None

    def __init__(self, source: Any, columns: Any) -> None:
        raise NotImplementedError

    @classmethod
    def takes(cls, source: Any) -> bool:
        """Whether it reads what a user gave."""
        raise NotImplementedError

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """The rows, about so many at a time, in order.

        Raises:
            ValueError: rows that cannot be read; the message names the file and the row.
        """
        raise NotImplementedError

    def where(self, row: int) -> str:
        """A row in words; counted from 0 as the source is read."""
        return f"row {row}"


def numbers_of_columns(columns: Any, shape: tuple[int, ...]) -> Any:
    """Columns as an index of the last axis: None for all, a number for one, else several.

    Raises:
        ValueError: names, or a number that is out of range.
    """
    if columns is None:
        return None
    single = not isinstance(columns, list | tuple | np.ndarray)
    try:
        asked = [operator.index(c) for c in ([columns] if single else columns)]
    except TypeError:
        raise ValueError(
            f"columns={columns!r} are names, and an array has none: give numbers of columns"
        ) from None
    if len(shape) < 2 or any(not -shape[-1] <= c < shape[-1] for c in asked):
        raise ValueError(f"columns={columns!r} are no columns of an array of shape {shape}")
    return asked[0] if single else asked


def taken(block: np.ndarray, columns: Any) -> np.ndarray:
    """Those columns of a block of rows."""
    return block if columns is None else block[..., columns]
