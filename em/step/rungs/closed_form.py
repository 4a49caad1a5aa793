"""The textbook's estimator, from statistics."""

from __future__ import annotations

from dataclasses import dataclass

from ...plan.blocks import Rung, StatisticalSite, Task
from ...plan.program import Params
from ..work import Work
from ._estimate import estimated


@dataclass(frozen=True)
class ClosedForm(Rung):
    """One site whose family has a formula for it, and no prior."""

    name = "closed form"
    place = 10
    closed = True
    estimates = True

    def takes(self, task: Task) -> bool:
        """Of a closed family."""
        own = task.own
        return not task.prior and isinstance(own, StatisticalSite) and own.family.closed

    def maximise(self, work: Work) -> Params:
        """The family's estimate."""
        return estimated(work)
