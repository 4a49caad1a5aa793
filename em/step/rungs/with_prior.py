"""Priors that no formula takes in, where a family has an estimate without them."""

from __future__ import annotations

from dataclasses import dataclass

from ...plan.blocks import Rung, Task
from ...plan.program import Params
from ..work import Work
from ._ascent import ascended, expected_log_posterior, higher
from ._estimate import own_estimate


@dataclass(frozen=True)
class WithPrior(Rung):
    """Up from the estimate without the prior, or from the parameters if these are better."""

    name = "numeric with the prior, from the estimate without it"
    place = 50
    numeric = True
    estimates = True

    def takes(self, task: Task) -> bool:
        """With a prior, of any family that estimates."""
        return task.prior and task.own is not None

    def maximise(self, work: Work) -> Params:
        """Up from the better of two."""
        objective = expected_log_posterior(work)
        estimate = own_estimate(work)
        begin = higher(objective, work.params | estimate, work.params)
        return ascended(work._replace(params=begin), objective)
