"""Likelihood equations that are solved on statistics."""

from __future__ import annotations

from dataclasses import dataclass

from ...plan.blocks import Rung, StatisticalSite, Task
from ...plan.program import Params
from ..work import Work
from ._estimate import estimated


@dataclass(frozen=True)
class Equations(Rung):
    """One site whose family solves for its parameters from statistics, and no prior."""

    name = "likelihood equations, on statistics"
    place = 20
    estimates = True

    def takes(self, task: Task) -> bool:
        """Of a family with statistics."""
        return not task.prior and isinstance(task.own, StatisticalSite)

    def maximise(self, work: Work) -> Params:
        """The family's estimate."""
        return estimated(work)
