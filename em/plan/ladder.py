"""Which rung of the ladder a block of parameters gets."""

from __future__ import annotations

from collections.abc import Sequence

from .blocks import RowSite, Rung, Site, StatisticalSite, StratifiedSite, Task
from .program import Program, by_row


def task_of(program: Program, sites: Sequence[Site], auxiliary: bool) -> Task:
    """What there is to do for parameters of these sites, priors left aside."""
    rowwise = any(by_row(program, site) for site in sites)
    own: StatisticalSite | RowSite | StratifiedSite | None = None
    if len(sites) == 1 and not auxiliary:  # else several terms
        only = sites[0]
        if isinstance(only, RowSite | StratifiedSite):
            own = only
        elif isinstance(only, StatisticalSite) and not rowwise and only.ties is not None:
            own = only if only.family.solves(only.ties) else None
    return Task(tuple(sites), own, rowwise, auxiliary)


def choose(rungs: Sequence[Rung], task: Task) -> Rung:
    """The first rung of a ladder that takes a task."""
    return next(rung for rung in rungs if rung.takes(task))
