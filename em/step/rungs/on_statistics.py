"""Newton's method on statistics: at a cost that does not depend on the number of rows."""

from __future__ import annotations

from dataclasses import dataclass

from ...plan.blocks import Rung, Task
from ...plan.program import Params
from ..work import Work
from ._ascent import climbed


@dataclass(frozen=True)
class OnStatistics(Rung):
    """Sites that all have statistics: their arguments are functions, or share parameters."""

    name = "numeric, on statistics"
    place = 70
    numeric = True

    def takes(self, task: Task) -> bool:
        """Where no density is worked out row by row."""
        return not task.rowwise

    def maximise(self, work: Work) -> Params:
        """Up from where they are."""
        return climbed(work)
