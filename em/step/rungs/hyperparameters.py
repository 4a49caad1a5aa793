"""Parameters that only priors reach."""

from __future__ import annotations

from dataclasses import dataclass

from ...plan.blocks import Rung, Task
from ...plan.program import Params
from ..work import Work
from ._ascent import climbed


@dataclass(frozen=True)
class Hyperparameters(Rung):
    """The log prior's part, without rows."""

    name = "numeric, on priors"
    place = 60
    numeric = True

    def takes(self, task: Task) -> bool:
        """Where there is no likelihood."""
        return not (task.sites or task.auxiliary)

    def maximise(self, work: Work) -> Params:
        """Up from where they are."""
        return climbed(work)
