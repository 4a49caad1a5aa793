"""Files that are there whole, or as they were; files of arrays, read without trusting them."""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

# NumPy's own names and shapes of an array are a line; more is no header of ours.
_MOST_HEADER = 10_000
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def write_whole(path: str | Path, write: Callable[[BinaryIO], None], mark: str = "tmp") -> None:
    """What ``write`` puts into a file, under its name only once all of it is on the disk.

    It is written beside it, flushed, and renamed; the folder is flushed too, which holds the name:
    a full disk or an interrupt leave the file as it was. A link is followed. ``mark`` ends the name
    meanwhile: one of its own for each of several writers, or always the same, so that processes
    that are killed leave no more than one.

    Raises:
        OSError: the folder or the disk does not let it.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():  # a device or a pipe: there is nothing to keep
        with open(target, "wb") as file:
            write(file)
        return
    beside = target.with_name(f".{target.name}.{mark}")
    try:
        with open(beside, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            beside.chmod(target.stat().st_mode & 0o777)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere folders cannot be opened
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_arrays(
    path: str | Path, max_bytes: int, file: BinaryIO | None = None
) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz``, none of which is a pickled object, of ``max_bytes`` at most.

    Of ``file``, if it is open already; ``path`` is what messages call it.

    Raises:
        ValueError: no such file of arrays, a damaged one, or a larger one.
    """
    try:
        with zipfile.ZipFile(path if file is None else file) as archive:
            entries = [e for e in archive.infolist() if e.filename.endswith(".npy")]
            _refuse_large(path, sum(e.file_size for e in entries), max_bytes)
            left, found = max_bytes, {}
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                with archive.open(entry) as stream:
                    found[name] = _array(path, name, stream, entry.file_size)
                left -= found[name].nbytes
                _refuse_large(path, max_bytes - left, max_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(
            f"{path} is damaged, or no file of mixpyro's: {str(error) or type(error).__name__}"
        ) from error
    return found


def _array(path: str | Path, name: str, stream: IO[bytes], size: int) -> np.ndarray:
    """An array of the entry, whose header is believed only as far as the entry is long."""
    data = stream.read(size + 1)
    if len(data) != size:
        raise ValueError(f"{path} is damaged: {name!r} is not as long as it says")
    file = io.BytesIO(data)
    try:
        header = _HEADERS[np.lib.format.read_magic(file)]
        shape, _, dtype = header(file, max_header_size=_MOST_HEADER)
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != size - file.tell():
            raise ValueError(f"shape {shape} of {dtype} is not what it holds")
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False, max_header_size=_MOST_HEADER)
    except KeyError:
        raise ValueError(f"{path} has an array {name!r} in an unknown format") from None
    except (ValueError, EOFError, OverflowError, MemoryError) as error:
        raise ValueError(f"{path} has no sound array {name!r}: {error}") from error


def _refuse_large(path: str | Path, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ValueError(
            f"{path} would take {size / 2**20:,.1f} MiB of memory, more than the "
            f"{max_bytes / 2**20:,.1f} MiB of max_bytes; raise it in em.load if the file is yours"
        )
