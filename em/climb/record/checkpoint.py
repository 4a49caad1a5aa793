"""A run written down as it goes, so that the same run goes on after its process has died.

A run is a row of climbs, each begun from what the ones before it left. The file holds where those
that are over ended, and where the one under way is: parameters, statistics, what the stopping rule
and an accelerator remember. All else follows from the call, which has to be the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ...machine.together import is_first
from ..state import Outcome
from .file import Recorded, What, read, refused, write


class Checkpoint:
    """The file of one run, written every so many seconds; of several processes, by the first.

    ``identity`` {part: {name: value}} is what a run has to be to go on from it.

    Raises:
        ValueError: a file that is no checkpoint, is not whole, or is that of another run.
    """

    def __init__(
        self,
        path: str | Path,
        every: float,
        identity: Mapping[str, Any],
        several: bool = False,
    ) -> None:
        if not (isinstance(every, int | float) and every >= 0):
            raise ValueError(f"checkpoint_every must be a number of seconds >= 0, not {every!r}")
        self.path, self.every, self.identity = Path(path), every, identity
        self._several = several
        found = read(self.path, identity, several)
        self._ended, self._under_way = found.ended, found.under_way
        self._next = 0
        self._what: What = []
        self._new = False
        self._written = time.monotonic()

    def admit(self, by_row: bool) -> None:
        """Refuse climbs that the file cannot hold; ``by_row`` says what their state has.

        Raises:
            ValueError: rows of several processes, with something for each of them.
        """
        if by_row and self._several:
            raise ValueError(
                "a checkpoint of several processes holds no responsibilities row by row, which "
                "this model's M-step takes (print(fit.spec)): fit it without, or in one process"
            )

    def recorded(self, what: What) -> Outcome | None:
        """Where the next climb of the run ended, if that is known; ``what`` says which it is."""
        if self._next == len(self._ended):
            return None
        known, outcome = self._ended[self._next]
        self._same(known, what)
        self._next += 1
        return outcome

    @property
    def under_way(self) -> bool:
        """Whether a climb is known that was not over."""
        return self._under_way is not None

    def resumed[C](self, what: What, course: C) -> C:
        """Where the next climb of the run is: at ``course`` (a pytree) if nothing else is known."""
        found, self._under_way, self._what = self._under_way, None, what
        if found is None:
            return course
        known, leaves = found
        self._same(known, what)
        begun, tree = jax.tree.flatten(course)
        if [(np.shape(v), v.dtype) for v in begun] != [(v.shape, v.dtype) for v in leaves]:
            raise refused(self.path, "its climb has other numbers than this one")
        there: C = jax.tree.unflatten(tree, leaves)
        return there

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() - self._written >= self.every

    def keep(self, course: Any = None) -> None:
        """Written down: the climb is here, or none is under way."""
        under_way = None
        if course is not None:
            under_way = (self._what, [np.asarray(v) for v in jax.tree.leaves(course)])
        if is_first(self._several):
            write(self.path, self.identity, Recorded(self._ended, under_way))
        self._written, self._new = time.monotonic(), False

    def over(self, what: What, outcome: Outcome) -> None:
        """A climb has ended."""
        self._ended.append((what, outcome))
        self._next, self._new = len(self._ended), True

    def close(self) -> None:
        """The run is over: all of its climbs are written down."""
        if self._new:
            self.keep()

    def _same(self, known: What, what: What) -> None:
        if known != what:
            raise refused(self.path, "it was written by a run of other climbs")
