"""Of many candidates, those that may turn out to be the best are searched for longest.

Every candidate climbs from its first starts. More starts, which take several times as long, are for
those that BIC may still put in front: it would if they raised the likelihood by twice as much as
the best of the first ones is above their median. (Of a normal's draws the best of 240 is above the
best of ten by 0.8 of that.) A candidate below one of fewer components, which it contains, is
searched too: it is known not to be at its optimum.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from ..climb.ascent import Ascent
from ..climb.search import search
from ..climb.selection import Restarts
from ..climb.state import Outcome
from ..climb.status import Status
from ..driver import EM
from ..report.fit import Fit
from ..started import Started

# So many candidates are searched for longest one and all.
_FEW = 12
# What a search may gain, in distances of the best of the first starts from their median.
_HOPE = 2


def fits_of(
    fitter: EM,
    rng_key: jax.Array | int,
    keywords: Sequence[Mapping[str, Any]],
    calls: Iterable[tuple[tuple, dict]],
) -> tuple[Fit, ...]:
    """A fit for each call; ``keywords`` are those that differ from call to call.

    Of those that were not searched the message says so.
    """
    if len(keywords) <= _FEW or not fitter.search:
        return tuple(fitter.run_each(rng_key, calls))
    lenient = copy.copy(fitter)
    lenient.throw = False  # the first starts may fail where others do not
    runs = [_Run(lenient, started) for started in fitter.begin_each(rng_key, calls)]
    while (ahead := _next(runs, keywords)) is not None:
        ahead.search()
    return tuple(fitter.checked(run.told()) for run in runs)


class _Run:
    """One candidate: its climbs from the first starts, and from more once it was searched."""

    def __init__(self, fitter: EM, started: Started) -> None:
        self._fitter, self._started = fitter, started
        self._first: tuple[Outcome, Restarts]

        def climb(ascent: Ascent) -> tuple[Outcome, Restarts]:
            self._first = ascent.outcome()
            return self._first

        self.fit = fitter.finish(started, climb)
        self.searched = not started.ascent.way.search or started.ascent.number == 1

    def search(self) -> None:
        """Climb from more starts."""
        self.fit = self._fitter.finish(self._started, partial(_further, *self._first))
        self.searched = True

    def told(self) -> Fit:
        """The fit, which says if there was no search."""
        if self.searched:
            return self.fit
        return replace(self.fit, restart_results=replace(self.fit.restart_results, passed=True))

    @property
    def sound(self) -> bool:
        return self.fit.base_status.ok

    @property
    def hoped(self) -> float:
        """BIC if a search gained what is to be hoped for."""
        found = self.fit.restart_results
        alike = (found.status == found.status[found.chosen]) | (found.status == Status.MAX_STEPS)
        ends = found.objective[alike & np.isfinite(found.objective)]
        gain = _HOPE * float(ends.max() - np.median(ends)) if len(ends) else 0.0
        return self.fit.bic - 2 * gain


def _further(outcome: Outcome, restarts: Restarts, ascent: Ascent) -> tuple[Outcome, Restarts]:
    return search(ascent, outcome, restarts)


def _next(runs: Sequence[_Run], keywords: Sequence[Mapping[str, Any]]) -> _Run | None:
    """Which is to be searched next; None if none is."""
    front = min((run.fit.bic for run in runs if run.sound), default=np.inf)
    short = _short(runs, keywords)
    left = [r for r in runs if not r.searched and (not r.hoped > front or r in short)]
    return min(left, key=lambda run: run.fit.bic, default=None)


def _short(runs: Sequence[_Run], keywords: Sequence[Mapping[str, Any]]) -> list[_Run]:
    """Those that are below one of fewer components and the same other keywords."""
    numbers = [run.fit.program.num_components for run in runs]
    swept = [name for name in keywords[0] if [own[name] for own in keywords] == numbers]
    if not swept:
        return []
    highest: dict[tuple, float] = {}
    found = []
    for i in sorted(range(len(runs)), key=lambda i: numbers[i]):
        others = tuple(repr(v) for n, v in keywords[i].items() if n != swept[0])
        own, before = runs[i].fit, highest.get(others, -np.inf)
        if before - own.log_likelihood > 1e-6 * (1 + abs(before)):
            found.append(runs[i])
        if runs[i].sound:
            highest[others] = max(before, own.log_likelihood)
    return found
