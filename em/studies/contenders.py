"""Of many candidates, those that may turn out to be the best are searched for longest.

Every candidate climbs from its first starts. More starts, which take several times as long, are for
those that BIC may still put in front: it would if they raised the likelihood by twice as much as
the best of the first ones is above the median. (Of a normal's draws the best of 240 is above the
best of ten by 0.8 of that.) A candidate below one of fewer components, which it contains, is
searched too: it is known not to be at its optimum.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

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
from .figures import below

# So many candidates are searched for longest one and all.
_FEW = 12
# What a search may gain, in distances of the best of the first starts from their median.
_HOPE = 2

Keywords = Sequence[Mapping[str, Any]]


class Standing(NamedTuple):
    """A candidate so far; ``hoped`` is BIC if a search gained what is to be hoped for."""

    log_likelihood: float
    bic: float
    hoped: float
    components: int
    sound: bool
    searched: bool


def screens(fitter: EM, keywords: Keywords) -> bool:
    """Whether not all of these candidates are searched."""
    return fitter.search and len(keywords) > _FEW


def lenient(fitter: EM) -> EM:
    """The same without ``throw``: the first starts may fail where others do not."""
    fitter = copy.copy(fitter)
    fitter.throw = False
    return fitter


def standing(fit: Fit, searched: bool) -> Standing:
    """Where a fit stands."""
    found = fit.restart_results
    alike = (found.status == found.status[found.chosen]) | (found.status == Status.MAX_STEPS)
    ends = found.objective[alike & np.isfinite(found.objective)]
    gain = _HOPE * float(ends.max() - np.median(ends)) if len(ends) else 0.0
    components = fit.program.num_components
    sound = fit.base_status.ok
    return Standing(fit.log_likelihood, fit.bic, fit.bic - 2 * gain, components, sound, searched)


def complete(ascent: Ascent) -> bool:
    """Whether its first starts are all that there are."""
    return not ascent.way.search or ascent.number == 1


def ahead(found: Sequence[Standing], keywords: Keywords) -> list[int]:
    """Which are to be searched yet, as it stands: the best by BIC first."""
    front = min((s.bic for s in found if s.sound), default=np.inf)
    short = _short(found, keywords)
    left = [
        i for i, s in enumerate(found) if not s.searched and (not s.hoped > front or i in short)
    ]
    return sorted(left, key=lambda i: found[i].bic)


def _short(found: Sequence[Standing], keywords: Keywords) -> set[int]:
    """Those that are below one of fewer components and the same other keywords."""
    numbers = [s.components for s in found]
    swept = [name for name in keywords[0] if [own[name] for own in keywords] == numbers]
    if not swept:
        return set()
    highest: dict[tuple, float] = {}
    short = set()
    for i in sorted(range(len(found)), key=lambda i: numbers[i]):
        others = tuple(repr(v) for n, v in keywords[i].items() if n != swept[0])
        own, before = found[i].log_likelihood, highest.get(others, -np.inf)
        if below(own, before):
            short.add(i)
        if found[i].sound:
            highest[others] = max(before, own)
    return short


def passed(results: Restarts) -> Restarts:
    """The climbs of one that was not searched, which say so."""
    return replace(results, passed=True)


def fits_of(
    fitter: EM,
    rng_key: jax.Array | int,
    keywords: Keywords,
    calls: Iterable[tuple[tuple, dict]],
) -> tuple[Fit, ...]:
    """A fit for each call; ``keywords`` are those that differ from call to call.

    Of those that were not searched the message says so.
    """
    if not screens(fitter, keywords):
        return tuple(fitter.run_each(rng_key, calls))
    runs = [_Run(lenient(fitter), s) for s in fitter.begin_each(rng_key, calls)]
    while left := ahead([run.standing for run in runs], keywords):
        runs[left[0]].search()
    return tuple(fitter.checked(run.told()) for run in runs)


class _Run:
    """One candidate: its climbs from the first starts, and from more once it was searched."""

    def __init__(self, fitter: EM, started: Started) -> None:
        self._fitter, self._started = fitter, started
        self._first: tuple[Outcome, Restarts]

        def climb(ascent: Ascent) -> tuple[Outcome, Restarts]:
            self._first = ascent.outcome()
            return self._first

        self._fit = fitter.finish(started, climb)
        self.standing = standing(self._fit, complete(started.ascent))

    def search(self) -> None:
        """Climb from more starts."""
        self._fit = self._fitter.finish(self._started, lambda ascent: search(ascent, *self._first))
        self.standing = standing(self._fit, True)

    def told(self) -> Fit:
        """The fit, which says if there was no search."""
        if self.standing.searched:
            return self._fit
        return replace(self._fit, restart_results=passed(self._fit.restart_results))
