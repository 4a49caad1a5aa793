"""Files that are there whole, or as they were before, whatever happens meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_whole(path: str | Path, write: Callable[[BinaryIO], None]) -> None:
    """What ``write`` puts into a file, under its name only once all of it is on the disk.

    It is written beside it, flushed, and renamed; the folder is flushed too, which holds the name.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.tmp")
    with open(beside, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    if os.name == "posix":  # elsewhere folders cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
