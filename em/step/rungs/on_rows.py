"""Newton's method on the rows: for every density that NumPyro has."""

from __future__ import annotations

from dataclasses import dataclass

from ...plan.blocks import Rung, Task
from ...plan.program import Params
from ..work import Work
from ._ascent import climbed


@dataclass(frozen=True)
class OnRows(Rung):
    """Whatever else there is."""

    name = "numeric, on rows"
    place = 80
    numeric = True
    rowwise = True

    def takes(self, task: Task) -> bool:
        """Everything."""
        return True

    def maximise(self, work: Work) -> Params:
        """Up from where they are."""
        return climbed(work)
