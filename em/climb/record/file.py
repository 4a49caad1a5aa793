"""The file of a checkpoint: NumPy's ``.npz`` with JSON inside; whole, of this run, or refused."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ...machine.files import read_arrays, write_whole
from ...machine.together import from_first, is_first
from ..state import Outcome

_FORMAT = 1
_NO_FILE, _NO_FOLDER = b"no file", b"no folder"
_PARTS = {
    "written": "it was written by other versions or on another kind of machine ({})",
    "model": "it is of another model",
    "data": "it is of other data ({})",
    "settings": "it is of a run with other settings ({})",
}

# Which climb of a run it is: what was asked of it.
type What = list[Any]


class Recorded(NamedTuple):
    """The climbs of a run that are over, and the arrays of the one under way, if there is one."""

    ended: list[tuple[What, Outcome]]
    under_way: tuple[What, list[np.ndarray]] | None


def write(path: Path, identity: Mapping[str, Any], recorded: Recorded) -> None:
    """Put the file in the place of what was there."""
    arrays: dict[str, Any] = {}
    climbs = []
    for number, (what, outcome) in enumerate(recorded.ended):
        fields = outcome._asdict() | {"width": outcome.trace.shape[1]}
        # Most of a trace is room that was not needed.
        fields["trace"] = outcome.trace[:, : int(np.max(outcome.steps))]
        params = fields.pop("params")
        fields |= {f"params/{n}": v for n, v in params.items()}
        own = {n: np.asarray(v) for n, v in fields.items() if v is not None}
        arrays |= {f"climb/{number}/{n}": v for n, v in own.items()}
        climbs.append({"what": what, "params": list(params), "arrays": list(own)})
    meta: dict[str, Any] = {
        "library": "mixpyro",
        "holds": "checkpoint",
        "format": _FORMAT,
        "identity": identity,
        "climbs": climbs,
        "under_way": None,
    }
    if recorded.under_way is not None:
        what, leaves = recorded.under_way
        arrays |= {f"under_way/{i}": v for i, v in enumerate(leaves)}
        meta["under_way"] = {"what": what, "arrays": len(leaves)}
    arrays["meta"] = np.array(json.dumps(meta))

    def put(file: BinaryIO) -> None:
        np.savez(file, allow_pickle=False, **arrays)

    write_whole(path, put)


def read(path: Path, identity: Mapping[str, Any], several: bool = False) -> Recorded:
    """What the file holds; nothing if there is none yet.

    Raises:
        ValueError: a file that is no checkpoint, is not whole, or is that of another run.
    """
    data = from_first(several, _bytes(path) if is_first(several) else b"")
    if data == _NO_FOLDER:
        raise ValueError(f"checkpoint {str(path)!r}: there is no folder {str(path.parent)!r}")
    if data == _NO_FILE:
        return Recorded([], None)
    try:
        stored = read_arrays(path, len(data), io.BytesIO(data))  # nothing in it is compressed
        meta = json.loads(str(stored["meta"]))
        known = meta.get("library") == "mixpyro" and meta.get("holds") == "checkpoint"
    except (ValueError, KeyError) as error:
        raise refused(path, "it is no checkpoint of mixpyro, or not all of one") from error
    if not known:
        raise refused(path, "it is no checkpoint of mixpyro")
    if meta["format"] != _FORMAT:
        raise refused(path, f"it has format {meta['format']!r}, and this version reads {_FORMAT}")
    for part, words in _PARTS.items():
        then, now = meta["identity"][part], identity[part]
        names = [n for n in {**then, **now} if then.get(n) != now.get(n)]
        if names:
            raise refused(path, words.format(", ".join(_told(n, then, now) for n in names)))
    try:
        return _recorded(meta, stored)
    except KeyError as error:
        raise refused(path, "not all of it is there") from error


def _bytes(path: Path) -> bytes:
    if not path.parent.is_dir():
        return _NO_FOLDER
    return path.read_bytes() if path.exists() else _NO_FILE


def _recorded(meta: Mapping[str, Any], stored: Mapping[str, np.ndarray]) -> Recorded:
    ended = []
    for number, climb in enumerate(meta["climbs"]):
        own = {n: stored[f"climb/{number}/{n}"] for n in climb["arrays"]}
        params: Any = {n: own.pop(f"params/{n}") for n in climb["params"]}
        room = [(0, 0), (0, int(own.pop("width")) - own["trace"].shape[1])]
        own["trace"] = np.pad(own["trace"], room, constant_values=np.nan)
        fields: dict[str, Any] = {"labels": None, **own}
        ended.append((climb["what"], Outcome(params=params, **fields)))
    under_way = None
    if (course := meta["under_way"]) is not None:
        leaves = [stored[f"under_way/{i}"] for i in range(course["arrays"])]
        under_way = (course["what"], leaves)
    return Recorded(ended, under_way)


def refused(path: Path, why: str) -> ValueError:
    """The error that says so, and what to do."""
    return ValueError(
        f"checkpoint {str(path)!r}: {why}. Call as it was called then to go on from it; to begin "
        "anew give another name, or delete the file"
    )


def _told(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is different; digests say nothing to a reader."""
    values = [str(part.get(name, "none")) for part in (then, now)]
    if any(len(v) >= 32 and set(v) <= set("0123456789abcdef ") for v in values):
        return name
    return f"{name}: {values[0]} then, {values[1]} now"
