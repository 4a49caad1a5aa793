"""`Batches`: what stands where a model takes an array that stays in its file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np

from ..options import whole
from .grouped import Grouped
from .kinds import Source, opened
from .regrouped import regrouped

# Rows of a batch: a few megabytes of a few columns, which is what a step wants anyway.
BATCH_SIZE = 1 << 17


class Batches:
    """Rows that are read batch by batch, where a model takes an array: ``run(key, Batches(...))``.

    The model is called with one batch at a time, memory holds a few of them whatever their number,
    and sums over the batches give the fit that all rows at once would give. Several `Batches` in
    one call (a column of weights, covariates, labels) are read side by side: they have as many
    rows each. After ``jax.distributed.initialize`` the rows of all processes are fitted together,
    each of which gives its own files and makes the same call.

    Args:
        source: the path of a Parquet, Arrow or CSV file, or of a folder of them, or several paths,
            or a ``pyarrow.dataset``; the path of a ``.npy`` file; anything that has a shape and
            slices (a memmap, an array of zarr or h5py); or a function that returns a fresh iterator
            of arrays.
        columns: of files the names of the columns to read, of arrays their numbers: several give
            (n, d), a single one (n,). All of them by default.
        batch_size: rows of a batch; with ``by`` groups of one.
        by: the column of a long table that says whose rows they are (a person, a sequence), in
            ascending order. Each group is one row of the `Batches`: (length, d) or (length,), with
            NaN, missing entries, after its last.
        length: rows of the longest group; found by a look at the column if it is not given.

    Raises:
        ValueError: a source that cannot be read, or columns that it does not have.
    """

    def __init__(
        self,
        source: Any,
        columns: Any = None,
        batch_size: int = BATCH_SIZE,
        *,
        by: Any = None,
        length: int | None = None,
    ) -> None:
        whole("batch_size", batch_size)
        if length is not None:
            whole("length", length)
        self.batch_size = int(batch_size)
        self.source: Source = opened(source, columns)
        if by is not None:
            self.source = Grouped(self.source, opened(source, by), length)
        elif length is not None:
            raise ValueError("length= is that of groups, which by= tells")
        self._given = source
        self.written = _newest(source)
        self._told = {"columns": columns, "batch_size": self.batch_size, "by": by, "length": length}

    @property
    def present(self) -> Batches:
        """`Batches` (length,) that are True for the rows of a group, False for what fills up.

        For ``numpyro.handlers.mask``, where a missing entry is no NaN (counts, steps of a chain).

        Raises:
            ValueError: without ``by`` all rows are there.
        """
        own = self.source
        if not isinstance(own, Grouped):
            raise ValueError("present is of Batches with by=; here all rows are there")
        new = copy(self)
        new.source = Grouped(own.ids, own.ids, mask_of=own)
        new._told = self._told | {"present": True}
        return new

    def told(self) -> dict[str, Any]:
        """What `retold` makes the same `Batches` of, as JSON holds it.

        Raises:
            ValueError: rows that are not in files.
        """
        given = self._given if isinstance(self._given, list | tuple) else [self._given]
        if not all(isinstance(g, str | os.PathLike) for g in given):
            raise ValueError(
                f"em.Batches of a {type(self._given).__name__} cannot be written down, those of "
                "files can: give a path; fit.params can be saved by numpy.savez"
            )
        paths = [os.path.abspath(g) for g in given]
        return {"source": paths if len(paths) > 1 else paths[0], **self._told}

    @classmethod
    def retold(cls, told: Mapping[str, Any]) -> Batches:
        """The `Batches` of what was written down."""
        new = cls(**{n: v for n, v in told.items() if n != "present"})
        return new.present if told.get("present") else new

    @property
    def num_rows(self) -> int | None:
        """How many rows there are, where that is known before they are read."""
        return self.source.num_rows

    def __iter__(self) -> Iterator[np.ndarray]:
        """The batches, of ``batch_size`` rows each but for the last."""
        return regrouped(self.source.blocks(self.batch_size), self.batch_size)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise all_at_once()

    def __repr__(self) -> str:
        return f"Batches({self._given!r}, batch_size={self.batch_size})"


def _newest(source: Any) -> int:
    """When the newest of the files was written, in nanoseconds; of no files 0."""
    given = source if isinstance(source, list | tuple) else [source]
    files = [Path(g) for g in given if isinstance(g, str | os.PathLike)]
    files += [inner for path in files if path.is_dir() for inner in path.rglob("*")]
    return max((path.stat().st_mtime_ns for path in files if path.is_file()), default=0)


def all_at_once() -> ValueError:
    """What is said where rows that are read batch by batch are needed all at once."""
    return ValueError(
        "this needs all rows in memory at once, and em.Batches are read batch by batch: use a "
        "sample of the rows as an array, or for a fit of Batches give it such rows to work on"
    )


class Elsewhere(tuple):
    """The arrays of a call, `Batches` among them: nothing that is compiled takes them."""

    __slots__ = ()


def _flattened(*_: Any) -> Any:
    raise all_at_once()


jax.tree_util.register_pytree_node(Elsewhere, _flattened, _flattened)
