"""The texts of options, read: ranges, lists, values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..models.gaussian import STRUCTURES
from .errors import BadInput
from .fitting import MCLUST

_SHORT = {"diag": "diagonal"}


def components(text: str) -> list[int]:
    """Whole numbers of ``3``, ``1:9`` (both ends) or ``1,2,5:7``.

    Raises:
        BadInput: anything else.
    """
    out: list[int] = []
    for part in text.split(","):
        first, mark, last = part.partition(":")
        try:
            ends = int(first), int(last) if mark else int(first)
        except ValueError:
            raise _no_components(text) from None
        if not 1 <= ends[0] <= ends[1]:
            raise _no_components(text)
        out += [k for k in range(ends[0], ends[1] + 1) if k not in out]
    return out


def covariances(text: str) -> list[str]:
    """Names of structures; ``all`` is mclust's fourteen."""
    if text.strip().lower() == "all":
        return list(MCLUST)
    names = [part.strip() for part in text.split(",") if part.strip()]
    out = []
    for name in names:
        found = _SHORT.get(name.lower(), name.lower())
        found = found if found in STRUCTURES else name.upper()
        if found not in STRUCTURES:
            raise BadInput(
                f"--covariance takes all or some of {', '.join(STRUCTURES)}, not {name!r}"
            )
        out.append(found)
    return out


def settings(pairs: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """``NAME=VALUE`` of --set: values as JSON or text, and columns (``NAME=@COLUMN``).

    Raises:
        BadInput: no equals sign.
    """
    values: dict[str, Any] = {}
    columns: dict[str, str] = {}
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not mark or not name.isidentifier():
            raise BadInput(f"--set takes NAME=VALUE or NAME=@COLUMN, not {pair!r}")
        if value.startswith("@"):
            columns[name] = value[1:]
            continue
        try:
            values[name] = json.loads(value)
        except json.JSONDecodeError:
            values[name] = value
        if isinstance(values[name], list):
            values[name] = tuple(values[name])
    return values, columns


def names_of_classes(options: Sequence[str], cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """The words of ``a,b``, one for each class of every candidate.

    Raises:
        BadInput: another number of them than of components, two alike.
    """
    names = [part.strip() for option in options for part in option.split(",")]
    counts = {v for cell in cells for k, v in cell.items() if k.startswith("num_")}
    if names and (len(counts) > 1 or counts - {len(names)}):
        asked = ", ".join(map(str, sorted(counts)))
        raise BadInput(
            f"--names has {len(names)} words, and --components asks for {asked}: give --components "
            f"{len(names)}, or no names before you know how many classes there are"
        )
    if len(set(names)) < len(names) or not all(names):
        raise BadInput(f"--names takes different words, not {','.join(names)}")
    return names


def _no_components(text: str) -> BadInput:
    return BadInput(
        f"--components takes a number, a range or a list of these, such as 3, 1:9 or 2,4,6:8, "
        f"not {text!r}"
    )
