"""A function that returns a fresh iterator of arrays, whatever they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ._source import Source, numbers_of_columns, taken


class Iterated(Source):
    """Each pass over the data calls the function once."""

    place = 40

    def __init__(self, source: Callable, columns: Any) -> None:
        self.source, self.columns = source, columns

    @classmethod
    def takes(cls, source: Any) -> bool:
        """Whether it can be called."""
        return callable(source)

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """The arrays as they come."""
        del size
        row, given = 0, self.source()
        if not hasattr(given, "__iter__"):
            raise ValueError(
                "the function given to Batches returns a "
                f"{type(given).__name__}; it has to return a fresh iterator of arrays at each call"
            )
        rows = iter(given)
        while True:
            try:
                block = np.asarray(next(rows))
            except StopIteration:
                return
            except Exception as error:
                raise ValueError(
                    f"the iterator given to Batches failed after row {row}: {error}"
                ) from error
            if block.ndim == 0:
                raise ValueError("the iterator given to Batches gives a single number; give rows")
            row += len(block)
            yield taken(block, numbers_of_columns(self.columns, block.shape))
