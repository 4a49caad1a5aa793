"""A fit is read back from its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .options import model as check_model
from .options import path as check_path
from .report import storage
from .report.fit import Fit


def load(path: str | Path, model: Callable) -> Fit:
    """Read a fit back; ``model`` is the function that was fitted (code is never stored).

    Raises:
        ValueError: the file holds no fit, or one whose parameters the model does not have.
    """
    check_path(path)
    check_model(model)
    return storage.load(Fit, path, model)
