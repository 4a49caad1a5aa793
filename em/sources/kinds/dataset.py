"""Parquet, Arrow (Feather) and CSV files or folders of them, by pyarrow's datasets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ._source import Source

_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "ipc",
    ".ipc": "ipc",
    ".feather": "feather",
    ".csv": "csv",
}


class Dataset(Source):
    """Columns of files, file by file in the order of their names; a null is a missing entry."""

    place = 20

    def __init__(self, source: Any, columns: Any) -> None:
        self.dataset = _opened(source)
        schema = self.dataset.schema
        self.single = isinstance(columns, str)
        asked = schema.names if columns is None else [columns] if self.single else list(columns)
        missing = [c for c in asked if c not in schema.names]
        if missing:
            raise ValueError(
                f"{source} has no column {missing[0]!r}; its columns are "
                f"{', '.join(map(str, schema.names))}"
            )
        for name in asked:
            kind = schema.field(name).type
            if not _numeric(kind):
                raise ValueError(
                    f"column {name!r} of {source} holds {kind}, no numbers; name the columns to "
                    "read with columns=, and code categories as integers 0, 1, ..."
                )
        self.columns = asked
        self._ends: list[tuple[int, str]] = []  # of the files that were read

    @classmethod
    def takes(cls, source: Any) -> bool:
        """A path, several of them, or a dataset of pyarrow."""
        if isinstance(source, list | tuple):
            return bool(source) and all(isinstance(s, str | os.PathLike) for s in source)
        own = type(source).__module__.startswith("pyarrow")
        return isinstance(source, str | os.PathLike) or (own and hasattr(source, "get_fragments"))

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """Some rows of a file after the other."""
        row, self._ends = 0, []
        for fragment in self.dataset.get_fragments():
            own = 0
            batches = iter(self._batches(fragment, size))
            while True:
                try:
                    batch = next(batches, None)
                    block = None if batch is None else self._block(batch)
                except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
                    raise ValueError(
                        f"{fragment.path} cannot be read from its row {own} on: {error}"
                    ) from error
                if block is None:
                    break
                own += len(block)
                yield block
            row += own
            self._ends.append((row, fragment.path))

    def _batches(self, fragment: Any, size: int) -> Any:
        # Read by one thread, or rows in an error's message would have no numbers; and no more
        # ahead than is used, since a batch is what memory holds.
        return pieces(fragment, self.dataset.schema, size, self.columns)

    def _block(self, batch: Any) -> np.ndarray:
        arrays = [batch.column(i).to_numpy(zero_copy_only=False) for i in range(len(self.columns))]
        if self.single:
            return arrays[0]
        return np.stack(arrays, 1) if arrays else np.zeros((batch.num_rows, 0))

    def where(self, row: int) -> str:
        """With the file, and the row within it."""
        before = 0
        for end, path in self._ends:
            if row < end:
                return f"row {row - before} of {path}"
            before = end
        return f"row {row}"


def pieces(fragment: Any, schema: Any, size: int, columns: Any = None) -> Any:
    """Batches of a file, decoded as they are asked for: by default all of Parquet's is held.

    By one thread, or rows in an error's message would have no numbers.
    """
    import pyarrow.dataset as ds

    given = None
    if isinstance(fragment, ds.ParquetFileFragment):
        given = ds.ParquetFragmentScanOptions(use_buffered_stream=True, pre_buffer=False)
    return fragment.to_batches(
        schema=schema,
        columns=columns,
        batch_size=size,
        use_threads=False,
        batch_readahead=1,
        fragment_readahead=0,
        fragment_scan_options=given,
    )


def _opened(source: Any) -> Any:
    if not isinstance(source, str | os.PathLike | list | tuple):
        return source
    try:
        import pyarrow.dataset as ds
    except ImportError as error:  # pragma: no cover
        raise ValueError("reading Parquet, Arrow or CSV files needs pyarrow: install it") from error
    paths = [Path(p) for p in source] if isinstance(source, list | tuple) else [Path(source)]
    for path in paths:
        if not path.exists():
            raise ValueError(f"there is no file or folder {path}")
    inside = [p for path in paths for p in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    found = {_FORMATS[p.suffix] for p in inside if p.suffix in _FORMATS}
    if len(found) != 1:
        raise ValueError(
            f"{source} holds {'files of several kinds' if found else 'no file that can be read'}; "
            f"give files that end with {', '.join(_FORMATS)} or .npy, all of one kind"
        )
    given = [str(p) for p in paths]
    try:
        return ds.dataset(given if len(given) > 1 else given[0], format=found.pop())
    except (OSError, ValueError) as error:
        raise ValueError(f"{source} cannot be read: {error}") from error


def _numeric(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))
