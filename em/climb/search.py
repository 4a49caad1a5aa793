"""How many starts: more, of several kinds, while they are cheap and the best was seen but once."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np

from ..classes.posterior import posterior
from ..machine.arrays import array as as_jax
from ..machine.by_numpy.interpret import interpreted
from ..machine.jit import quick_jit
from .ascent import Ascent
from .selection import SAME, Restarts
from .starts import CATALOGUE, Found, Revising, Start
from .state import Outcome
from .status import Status

# The best optimum is believed when so many starts have found it, of more than one kind ...
_TIMES = 3
# ... or when so many multiplications are spent, or all of these kinds have had their turn.
_BUDGET = 2e9
_KINDS = ("random cuts", "random", "random rows")
# The best is changed as long as that gains, so often at most; no optimum is believed before. Of
# many components there are many pairs to merge: one round in vain for each, and one more.
_REVISED, _AGAIN = "split and merge", 20
# Where so large a part of all starts has found it, one such round is enough.
_CLEAR = 0.5
# The key of a round.
_key_of = interpreted(jax.random.fold_in)


def climb_all(first: Ascent) -> tuple[Outcome, Restarts]:
    """The climbs of a run, and of more starts as long as it is in doubt which optimum is the best.

    Every round has as many starts as the first, so that it climbs by what is compiled already.
    """
    return search(first, *first.outcome())


def search(first: Ascent, outcome: Outcome, restarts: Restarts) -> tuple[Outcome, Restarts]:
    """The rounds after the first, whose climbs these are."""
    if first.way.search and first.number > 1:
        outcome, restarts = _search(first, outcome, restarts)
    if first.stop.asked:  # what has converged may not be the best of what there was to find
        restarts.status[restarts.chosen] = Status.INTERRUPTED
    return outcome, restarts


def _search(first: Ascent, outcome: Outcome, restarts: Restarts) -> tuple[Outcome, Restarts]:
    same = SAME[32 if first.single else 64]
    kinds, spent, number, revised = list(_KINDS), _cost(first, outcome), 0, 0
    enough, in_vain = _enough(first.program.num_components), 0
    while spent <= _BUDGET and not first.stop.asked:
        often = number > 0 and restarts.found(same) >= _TIMES
        kind = _REVISED if often or not kinds else kinds.pop(0)
        clear = revised and restarts.found(same) >= _CLEAR * len(restarts.status)
        if clear or (kind == _REVISED and revised == _AGAIN):
            break
        before = restarts.objective[restarts.chosen]
        more = _round(first, CATALOGUE[kind], number, outcome, restarts)
        spent, number = spent + _cost(first, more), number + 1
        revised += kind == _REVISED
        outcome = jax.tree.map(lambda a, b: np.concatenate([a, b]), outcome, more)
        restarts = first.selected(outcome)
        gained = restarts.objective[restarts.chosen] > before + same
        in_vain = 0 if gained or kind != _REVISED else in_vain + 1
        if in_vain == enough:
            break
    return outcome, restarts


def _enough(components: int) -> int:
    """How many rounds of changes in vain are enough."""
    return 1 + components * (components - 1) // 2


def _round(
    first: Ascent, start: Start, number: int, outcome: Outcome, restarts: Restarts
) -> Outcome:
    """The climbs from starts of one kind."""
    key = _key_of(first.rng_key, number)
    sound = Status(int(restarts.status[restarts.chosen])) is Status.CONVERGED
    bar = float(restarts.objective[restarts.ranking[0]]) if sound else -np.inf
    given = first.given
    if isinstance(start, Revising):
        params = {n: as_jax(v[restarts.chosen]) for n, v in outcome.params.items()}
        given = _found(first, params)
    way = replace(first.way, start=start)
    more = first.otherwise(way=way, rng_key=key, bar=bar, given=given, _ahead=[])
    return more.outcome()[0]


def _found(ascent: Ascent, params: dict) -> Found:
    program, rows = ascent.at_work

    def units(params: dict, arrays: tuple) -> jax.Array:
        return posterior(program, params, arrays).units.T

    compiled = program.compiled("units", lambda: quick_jit(program, units))
    return Found(compiled(params, rows.arrays))


def _cost(ascent: Ascent, outcome: Outcome) -> float:
    return float(outcome.steps.sum()) * ascent.price
