"""Parts of a fit's message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..calls.call import Call
from ..calls.places import place
from ..climb.selection import Restarts
from ..climb.status import Status
from ..plan.program import Program

# Ends of climbs to one optimum differ by less.
SAME = 1e-2


def label(
    program: Program, call: Call, name: str, index: Sequence[Any], first: Sequence[str] = ()
) -> str | None:
    """An entry of a parameter, as tables and messages call it: ``probs[0, item A, yes]``.

    None for one that is no category of its item, which has no place in a table. ``first`` are
    other words along the first axis.
    """
    words = places(program, call, name, index)
    if words is None:
        return None
    if first:
        words[0] = first[index[0]]
    return f"{name}[{', '.join(words)}]" if words else name


def places(program: Program, call: Call, name: str, index: Sequence[Any]) -> list[str] | None:
    """Where an entry is along each axis."""
    return place(program.source, call, name, index)


def entries(program: Program, call: Call, marks: Mapping[str, np.ndarray]) -> list[str]:
    """The names of the entries that are marked."""
    every = [
        label(program, call, name, tuple(at))
        for name, mark in marks.items()
        for at in np.argwhere(mark)
    ]
    return [entry for entry in every if entry is not None]


def few(names: list[str]) -> list[str]:
    """The first of many names, and how many more there are."""
    return names if len(names) <= 8 else [*names[:8], f"and {len(names) - 8} more"]


def of_starts(found: Restarts) -> list[str]:
    """What became of the starts that were passed over."""
    sentences = []
    number, of = found.found(SAME), len(found.status)
    if of > 1 and Status(int(found.status[found.chosen])).ok:
        sentences.append(f"The best was found by {number} of {of} starts.")
    if found.passed:
        sentences.append(
            "No more starts were tried, as another model of the sweep is ahead by BIC: run this "
            "one by itself to search longer."
        )
    for code, words in (
        (Status.COLLAPSED, "collapsed on a singularity (discarded)"),
        (Status.NEARLY_SINGULAR, "ended at a nearly singular component of a few rows"),
    ):
        number = int((found.status == code).sum()) - int(found.status[found.chosen] == code)
        if number:
            sentences.append(f"{number} of {len(found.status)} starts {words}.")
    if number := found.fallen_above(SAME):
        sentences.append(
            f"{number} of {len(found.status)} starts ended higher, but their objective fell on the "
            "way (LOWERED), so that none of them is taken."
        )
    if found.narrow:
        sentences.append(
            "What collapsed on many rows may be better: rows that are all equal, or rows so far "
            "from the others (a code such as 99999 for a missing value?) that next to their "
            "distance no component has a width. Leave such rows out, or declare what they are."
        )
    return sentences
