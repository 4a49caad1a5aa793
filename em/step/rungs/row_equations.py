"""Likelihood equations that are solved on the rows."""

from __future__ import annotations

from dataclasses import dataclass

from ...plan.blocks import RowSite, Rung, Task
from ...plan.program import Params
from ..work import Work
from ._estimate import improved


@dataclass(frozen=True)
class RowEquations(Rung):
    """One site whose family improves its parameters on the rows, and no prior."""

    name = "likelihood equations, on rows"
    place = 30
    estimates = True
    rowwise = True

    def takes(self, task: Task) -> bool:
        """Of a family without statistics."""
        return not task.prior and isinstance(task.own, RowSite)

    def maximise(self, work: Work) -> Params:
        """The family's improvement: one in a step, more in the first."""
        return improved(work)
