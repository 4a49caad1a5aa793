"""Climbs over rows that are read batch by batch, several of them in the same passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...machine.arrays import array as as_jax
from ...machine.together import like_first
from ...plan.program import Params
from ...rows.streamed import Facts, Streamed
from ...step.expectation import Expectation
from ..state import RUNNING, Outcome, Settings, State
from ..status import Status
from ..stopping import Bounds, noise_of_squares, worst_of_total
from .compiled import Passes
from .journal import Journal, Place, Stopped
from .stepwise import Stepwise, stepped

# A climb is left when, after so many passes, even so many times what its gains promise would not
# bring it above the best so far.
_PASSES, _DOUBT = 3, 5.0

# Called after each pass: how many there were, and the best objective.
type Report = Callable[[int, float], None]


@dataclass
class Climb:
    """One climb: where it is, and the objectives on its way, in double precision."""

    state: State
    trace: list[float] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return int(self.state.code) == RUNNING

    @property
    def hope(self) -> float:
        """What it may reach, by its last gains."""
        if len(self.trace) < 3:
            return np.inf
        before, gain = np.diff(self.trace[-3:])
        rest = gain**2 / (before - gain) if before > gain > 0 else max(gain, 0.0)
        return self.trace[-1] + _DOUBT * (rest + max(gain, 0.0))


def climb_passes(
    settings: Settings,
    rows: Streamed,
    starts: Sequence[Params],
    tolerance: float,
    report: Report = lambda number, best: None,
    stepwise: Stepwise | None = None,
    journal: Journal | None = None,
) -> Outcome:
    """Climbs from several parameters at once, in the same passes; see `loop.climb`.

    One that cannot come out above another is left where it is, as MAX_STEPS. What the ``journal``
    knows is gone on from; passes of stepwise EM are made anew.
    """
    passes, journal = Passes(settings, rows), journal or Journal()
    nothing = [passes.nothing(p) for p in starts]
    place = begun = _begun(passes, starts, nothing)
    if (known := journal.resumed(begun)) is not None:
        place = known
    elif stepwise is not None:
        starts = [stepped(stepwise, passes, params) for params in starts]
        place = _begun(passes, starts, nothing)
    climbs = [
        Climb(state, trace[: int(length)].tolist())
        for state, trace, length in zip(place.states, place.traces, place.lengths, strict=True)
    ]
    number = first = int(place.passes)
    rows.seen, so_far = Facts(*place.facts.tolist()), (int(place.batches), place.sums)

    def here() -> Place:
        traces = begun.traces.copy()
        for row, one in zip(traces, climbs, strict=True):
            row[: len(one.trace)] = one.trace
        return begun._replace(
            passes=np.asarray(number),
            facts=np.asarray(rows.seen, float),
            level=np.asarray(rows.level),
            states=[c.state for c in climbs],
            traces=traces,
            lengths=np.array([len(c.trace) for c in climbs]),
        )

    journal.place = here
    if first:
        rows.facts, rows.level = rows.seen, float(place.level)
    else:
        _open(passes, climbs, journal, so_far)
        first, so_far = 1, (0, place.sums)
    assert rows.facts is not None
    facts, dtype = rows.facts, passes.dtype
    whole = worst_of_total(rows.level, facts.total, facts.squares, dtype)
    noise = noise_of_squares(facts.squares, dtype)
    bounds = Bounds(*(as_jax(v, dtype) for v in (tolerance, noise, whole)))
    journal.stop.ready = True
    for number in range(first, settings.max_steps + 1):
        running = [c for c in climbs if c.running and not _hopeless(c, climbs)]
        if not running:
            break
        ahead = [passes.propose(c.state) for c in running]
        try:
            journal.between(rows.several, facts)
            found = passes.expectations([a.params for a in ahead], journal, so_far)
        except Stopped:
            return _outcome(passes, climbs, rows.base, Status.INTERRUPTED)
        for one, there, new in zip(running, ahead, found, strict=True):
            settled = passes.settle(one.state, there, new, bounds)
            one.state = like_first(rows.several, settled)
            one.trace.append(float(one.state.expected.objective) + rows.base)
        so_far = (0, place.sums)
        report(number, max(c.trace[-1] for c in climbs if c.trace))
    else:
        number = settings.max_steps + 1
    journal.close(here())
    return _outcome(passes, climbs, rows.base, Status.MAX_STEPS)


def _begun(passes: Passes, starts: Sequence[Params], nothing: Sequence[Expectation]) -> Place:
    """Climbs of which nothing is known but where they start."""
    return Place(
        passes=np.asarray(0),
        batches=np.asarray(0),
        sums=nothing,
        facts=np.asarray(Facts(), float),
        level=np.asarray(0.0),
        states=[passes.begin(p, e) for p, e in zip(starts, nothing, strict=True)],
        traces=np.full((len(starts), passes.settings.max_steps), np.nan),
        lengths=np.zeros(len(starts), int),
    )


def _open(
    passes: Passes, climbs: Sequence[Climb], journal: Journal, so_far: tuple[int, Any]
) -> None:
    """The first pass, by which climbs know the objective where they begin; the level of terms."""
    rows = passes.rows
    starts = [c.state.params for c in climbs]
    first = passes.expectations(starts, journal, so_far)
    assert rows.facts is not None
    if passes.dtype.itemsize < 8:  # from here on terms are counted from their mean: `Rows.level`
        value = max(float(e.objective) for e in first) / rows.facts.total
        rows.level = as_level(value, passes.dtype)
        less = rows.level * rows.facts.total
        first = [e._replace(objective=e.objective - less) for e in first]
    for one, params, expected in zip(climbs, starts, first, strict=True):
        one.state = passes.begin(params, expected)


def as_level(value: float, dtype: np.dtype) -> float:
    """A number that single precision holds exactly; 0 for one that is not finite."""
    return float(np.asarray(value, dtype)) if np.isfinite(value) else 0.0


def _hopeless(one: Climb, climbs: Sequence[Climb]) -> bool:
    best = max((c.trace[-1] for c in climbs if c.trace), default=-np.inf)
    return len(one.trace) >= _PASSES and one.hope < best


def _outcome(passes: Passes, climbs: Sequence[Climb], base: float, others: Status) -> Outcome:
    """The climbs as they are; those that would go on end as ``others``."""
    states = [c.state for c in climbs]
    trace = np.full((len(climbs), max(len(c.trace) for c in climbs)), np.nan)
    for row, one in zip(trace, climbs, strict=True):
        row[: len(one.trace)] = one.trace
    codes = [int(s.code) for s in states]
    found: dict[str, Any] = {
        "params": {
            n: np.stack([np.asarray(s.params[n]) for s in states]) for n in states[0].params
        },
        "objective": np.array([float(s.expected.objective) + base for s in states]),
        "counts": np.stack([np.asarray(s.expected.counts) for s in states]),
        "relative_scale": np.stack([passes.scales(s.params) for s in states]),
        "steps": np.array([int(s.steps) for s in states]),
        "code": np.array([others if c == RUNNING else c for c in codes]),
        "reseeded": np.zeros(len(states), int),
        "trace": trace,
        "labels": None,
    }
    return Outcome(**found)
