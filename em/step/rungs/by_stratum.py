"""The textbook's estimator where rows take their arguments from different entries."""

from __future__ import annotations

from dataclasses import dataclass

from ...plan.blocks import Rung, StratifiedSite, Task
from ...plan.program import Params
from ..work import Work
from ._estimate import estimated_by_stratum


@dataclass(frozen=True)
class ByStratum(Rung):
    """One site whose family has a formula for it, stratum by stratum, and no prior."""

    name = "closed form, by stratum"
    place = 15
    closed = True
    estimates = True
    rowwise = True

    def takes(self, task: Task) -> bool:
        """Of strata whose family is closed."""
        return not task.prior and isinstance(task.own, StratifiedSite)

    def maximise(self, work: Work) -> Params:
        """The family's estimate from the rows of each stratum."""
        return estimated_by_stratum(work)
