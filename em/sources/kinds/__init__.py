"""Kinds of sources: one file each, found by being here; the first that takes a source reads it."""

from __future__ import annotations

from typing import Any

from ...machine.catalogue import classes
from ._source import Source

__all__ = ["Source", "opened"]

_KINDS: tuple[type[Source], ...] = tuple(
    sorted((c for c in classes(__name__, __path__) if issubclass(c, Source)), key=lambda c: c.place)
)


def opened(source: Any, columns: Any) -> Source:
    """The source of what a user gave.

    Raises:
        ValueError: nothing that can be read.
    """
    for kind in _KINDS:
        if kind.takes(source):
            return kind(source, columns)
    raise ValueError(
        f"Batches cannot read a {type(source).__name__}: give a path of a Parquet, Arrow, CSV or "
        ".npy file or folder, a pyarrow.dataset, anything that has a shape and slices, or a "
        "function that returns a fresh iterator of arrays"
    )
