"""How many starts: more, of several kinds, while they are cheap and the best was seen but once."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np

from .ascent import Ascent
from .selection import Restarts, select
from .starts import CATALOGUE
from .state import Outcome
from .status import Status

# The best optimum is believed when so many starts have found it, of more than one kind, within so
# much of it in double and in single precision ...
_TIMES, _SAME = 3, {64: 1e-3, 32: 5e-2}
# ... or when so many multiplications are spent, or all of these kinds have had their turn.
_BUDGET = 2e9
_KINDS = ("random cuts", "random", "random rows", "random cuts", "kmeans++")


def climb_all(first: Ascent) -> tuple[Outcome, Restarts]:
    """The climbs of a run, and of more starts as long as it is in doubt which optimum is the best.

    Every round has as many starts as the first, so that it climbs by what is compiled already.
    """
    outcome, restarts = first.outcome()
    if not first.way.search or first.number == 1:
        return outcome, restarts
    spent = _cost(first, outcome)
    for number, kind in enumerate(_KINDS):
        often = restarts.found(_SAME[32 if first.single else 64]) >= _TIMES
        if (often and number) or spent > _BUDGET:
            break
        key = jax.random.fold_in(first.rng_key, number)
        way = replace(first.way, start=CATALOGUE[kind])
        sound = Status(int(restarts.status[restarts.chosen])) is Status.CONVERGED
        bar = float(restarts.objective[restarts.ranking[0]]) if sound else -np.inf
        more, _ = replace(first, way=way, rng_key=key, bar=bar, _ahead=[]).outcome()
        spent += _cost(first, more)
        outcome = jax.tree.map(lambda a, b: np.concatenate([a, b]), outcome, more)
        restarts = select(first.program, outcome, first.rows, first.total)
    return outcome, restarts


def _cost(ascent: Ascent, outcome: Outcome) -> float:
    return float(outcome.steps.sum()) * ascent.program.work
