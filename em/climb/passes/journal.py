"""Where climbs over batches are, so that they are written down and gone on from, or interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...machine.interruption import Interruption
from ...machine.together import agreed
from ...rows.streamed import Facts
from ...step.expectation import Expectation
from ..record.checkpoint import Checkpoint
from ..record.file import What
from ..state import State


class Place(NamedTuple):
    """All that the rest of the climbs depends on: a pytree of arrays of known shapes.

    ``passes`` that are over (the first tells where climbs begin, and is no step), ``batches`` of
    the next one whose statistics ``sums`` holds, ``facts`` of the rows so far, the ``level`` that
    terms are counted from; of each climb its ``states``, and its trace, ``lengths`` long.
    """

    passes: Any
    batches: Any
    sums: Sequence[Expectation]
    facts: Any
    level: Any
    states: Sequence[State]
    traces: Any
    lengths: Any


class Stopped(Exception):
    """Ctrl-C within a pass: climbs are where they were before it."""


@dataclass
class Journal:
    """Looks between batches whether to stop, or to write; without a checkpoint nothing is written.

    ``place`` gives where climbs are but for the pass under way.
    """

    checkpoint: Checkpoint | None = None
    stop: Interruption = field(default_factory=Interruption)
    what: What = field(default_factory=list)
    place: Callable[[], Place] | None = None

    def resumed(self, begun: Place) -> Place | None:
        """Where an earlier process was; None if nothing is known of it."""
        if self.checkpoint is None:
            return None
        known = self.checkpoint.under_way
        there = self.checkpoint.resumed(self.what, begun)
        return there if known else None

    @property
    def due(self) -> bool:
        """Whether it is time to look."""
        return self.stop.asked or (self.checkpoint is not None and self.checkpoint.due)

    def between(self, several: bool, facts: Facts) -> None:
        """Between passes, where alone ``several`` processes look, and agree on what to do.

        Raises:
            Stopped: Ctrl-C in one of them.
        """
        if not several:
            return
        asked, due = agreed(several, (self.stop.asked, self.due))
        self.stop.asked = bool(asked)
        if due:
            self.keep(0, [], facts)

    def keep(self, batches: int, sums: Any, facts: Facts) -> None:
        """Written down: so many batches of a pass are summed.

        Raises:
            Stopped: Ctrl-C.
        """
        assert self.place is not None
        if self.checkpoint is not None:
            place = self.place()
            known = [*sums, *place.sums[len(sums) :]]  # of the climbs that are still under way
            self.checkpoint.keep(
                place._replace(
                    batches=np.asarray(batches), sums=known, facts=np.asarray(facts, float)
                )
            )
        if self.stop.asked:
            raise Stopped

    def close(self, place: Place) -> None:
        """Climbs are over."""
        if self.checkpoint is not None:
            self.checkpoint.keep(place)
