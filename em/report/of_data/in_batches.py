"""What is worked out row by row, of rows that are read batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np

from ...calls.streams import Data, data_of
from ...rows.streamed import Streamed
from ...sources.batches import all_at_once
from ...sources.side_by_side import ahead, batch_size_of, filled, together
from .scoring import Scored

# Called with the arguments of one batch: an array by row, or {latent: one}.
type Scoring = Callable[[tuple, dict[str, Any]], Any]


class InBatches:
    """Numbers of each row, batch by batch: each iteration is a pass over the rows.

    An array of the rows of a batch each time, as the method has it for rows in memory: along
    ``axis``, which is 1 for the steps of sequences.
    """

    def __init__(self, data: Data, name: str, scoring: Scoring, axis: int = 0) -> None:
        self._data, self._name, self._scoring, self._axis = data, name, scoring, axis

    def __iter__(self) -> Iterator[Any]:
        size = batch_size_of(self._data.streams)
        for _, arrays in ahead(together(self._data.streams)):
            number = len(arrays[0])
            # The last batch is filled up, so that nothing is compiled for its number of rows.
            whole = [filled(a, size, a.dtype) for a in arrays]
            found = self._scoring(*self._data.arguments(whole))
            yield jax.tree.map(partial(self._first, number, size), found)

    def _first(self, number: int, size: int, found: Any) -> Any:
        """Without what filled the batch up."""
        length = found.shape[self._axis] * number // size
        return found[(slice(None),) * self._axis + (slice(length),)]

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise all_at_once()

    def to_parquet(self, path: str | Path) -> None:
        """Write them to a Parquet file, a row group a batch.

        One column ``name`` of single numbers, ``name[0]``, ``name[1]``, ... of several; the name is
        that of the latent class, or ``log_prob``.

        Raises:
            ValueError: several latent classes of different numbers of rows; steps of sequences.
        """
        if self._axis:
            raise ValueError(
                "steps of sequences are no rows of one table: write them batch by batch"
            )
        import pyarrow as pa
        import pyarrow.parquet as pq

        writer: Any = None
        try:
            for found in self:
                columns: dict[str, np.ndarray] = {}
                named = found if isinstance(found, dict) else {self._name: found}
                for name, value in named.items():
                    array = np.asarray(value)
                    if array.ndim == 1:
                        columns[name] = array
                    else:
                        columns |= {f"{name}[{j}]": array[:, j] for j in range(array.shape[1])}
                if len({len(v) for v in columns.values()}) > 1:
                    raise ValueError(
                        "the latent classes have different numbers of rows, which do not fit one "
                        "table: write them batch by batch"
                    )
                table = pa.table(columns)
                writer = writer or pq.ParquetWriter(path, table.schema)
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()


def streamed(result: Scored, args: tuple, kwargs: dict[str, Any]) -> Data | None:
    """The `Batches` of a call, or of the fit itself if it is called without data; else None."""
    if not args and not kwargs and isinstance(result.rows, Streamed):
        args, kwargs = result.call.rebuild()
    return data_of(args, kwargs)
