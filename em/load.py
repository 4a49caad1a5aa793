"""A fit is read back from its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .options import model as check_model
from .options import path as check_path
from .options import whole
from .report import storage
from .report.fit import Fit


def load(path: str | Path, model: Callable, *, max_bytes: int = 2**32) -> Fit:
    """Read a fit back; ``model`` is the function that was fitted (code is never stored).

    Nothing of a file is run: it holds arrays and JSON, no pickled objects. What its arrays would
    take in memory is known before any is read, and a file of more than ``max_bytes`` (4 GiB) is
    refused: a few kilobytes can unpack to many gigabytes.

    Raises:
        ValueError: the file holds no fit, is damaged or too large, or its parameters are not those
            of the model.
        OSError: the file is not there, or cannot be read.
    """
    check_path(path)
    check_model(model)
    whole("max_bytes", max_bytes, most=2**63)
    return storage.load(Fit, path, model, max_bytes)
