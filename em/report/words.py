"""Parts of a fit's message."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..climb.selection import Restarts
from ..climb.status import Status

# Ends of climbs to one optimum differ by less.
SAME = 1e-2


def entries(marks: Mapping[str, np.ndarray]) -> list[str]:
    """The names of the entries that are marked."""
    return [
        name + (f"[{', '.join(map(str, index))}]" if index.size else "")
        for name, mark in marks.items()
        for index in np.argwhere(mark)
    ]


def few(names: list[str]) -> list[str]:
    """The first of many names, and how many more there are."""
    return names if len(names) <= 8 else [*names[:8], f"and {len(names) - 8} more"]


def of_starts(found: Restarts) -> list[str]:
    """What became of the starts that were passed over."""
    sentences = []
    number, of = found.found(SAME), len(found.status)
    if of > 1 and Status(int(found.status[found.chosen])).ok:
        sentences.append(f"The best was found by {number} of {of} starts.")
    for code, words in (
        (Status.COLLAPSED, "collapsed on a singularity and were discarded"),
        (Status.NEARLY_SINGULAR, "rest on a nearly singular component of a few rows"),
    ):
        number = int((found.status == code).sum()) - int(found.status[found.chosen] == code)
        if number:
            sentences.append(f"{number} of {len(found.status)} starts {words}.")
    return sentences
