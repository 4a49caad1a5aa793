"""Climbs over rows that are read batch by batch: one pass over all of them is one step.

The steps are the loop's own (`advance.py`); between their halves a pass sums the batches' E-steps,
in double precision. The gradient that accelerations ask for costs no pass of its own: by Fisher's
identity it is that of EM's Q at the parameters of the E-step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..classes.assignments.soft import Soft
from ..machine.arrays import array as as_jax
from ..machine.jit import loop_jit, quick_jit
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..rows.streamed import Streamed, over_rows
from ..step.expectation import Expectation, e_step
from ..step.expected import expected_log_likelihood
from ..step.prior import log_prior
from . import engine
from .advance import Ahead, propose, relative_scale, settle
from .leap import begin
from .state import RUNNING, Flight, Outcome, Settings, State
from .status import Status
from .stopping import Bounds, noise_of_squares, worst_of_total

# A climb is left when, after so many passes, even so many times what its gains promise would not
# bring it above the best so far.
_PASSES, _DOUBT = 3, 5.0
_OFTEN = 1e6

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


class Passes:
    """What climbs over streamed rows compute, compiled once for all batches."""

    def __init__(self, settings: Settings, rows: Streamed) -> None:
        self.settings, self.rows, self.program = settings, rows, rows.program
        self.common = engine.given(self.program, rows.common)
        self.dtype = np.dtype(rows.common.weights.dtype)

    def expectations(self, places: Sequence[Params]) -> list[Expectation]:
        """The E-step of all rows at several parameters, by one pass."""
        program = self.program

        def of(params: Params, rows: Rows) -> Expectation:
            found = e_step(program, Soft(), params, rows)
            # By row they are of one batch only, and no M-step here asks for them.
            return found._replace(responsibilities={})

        compiled = self._compiled("pass", of, loop_jit)

        def every(places: Sequence[Params], batch: Rows) -> list[Expectation]:
            own = batch._replace(arrays=()) if program.alone else batch
            return [compiled(params, own) for params in places]

        found = over_rows(every, places, self.rows)
        return [self._with_prior(e, p) for e, p in zip(found, places, strict=True)]

    def _with_prior(self, summed: Expectation, params: Params) -> Expectation:
        if not self.program.posterior:
            return summed
        prior = self._compiled("prior", self._log_prior, quick)(params, self.common)
        return summed._replace(objective=summed.objective + float(prior))

    def rounded(self, summed: Expectation) -> Expectation:
        """The sums as climbs have them: in single precision the data's own."""
        return jax.tree.map(lambda v: as_jax(v, self.dtype), summed)

    def _log_prior(self, params: Params, common: Rows) -> jax.Array:
        return log_prior(self.program, params, common.arrays)

    def begin(self, params: Params, expected: Expectation) -> Climb:
        """A climb from parameters, by the E-step at them."""
        program, accelerate = self.program, self.settings.accelerate
        zero = as_jax(0, np.int32)
        flight = None
        if accelerate is not None:
            memory = begin(program, accelerate, params, self.common)
            flight = Flight(jax.tree.map(jnp.zeros_like, params), as_jax(False, np.bool_), memory)
        gain = as_jax(np.inf, self.dtype)
        expected = self.rounded(expected)
        code = as_jax(RUNNING, np.int32)
        return Climb(State(params, expected, gain, zero, code, zero, flight))

    def propose(self, state: State) -> Ahead:
        """Where a climb goes next."""
        function = partial(propose, self.program, self.settings)
        return self._compiled(("propose", self.settings), function, quick)(state, self.common)

    def settle(self, state: State, ahead: Ahead, new: Expectation, bounds: Bounds) -> State:
        """The climb after the pass there."""
        program, settings = self.program, self.settings

        def of(state: State, ahead: Ahead, new: Expectation, bounds: Bounds, rows: Rows) -> State:
            slope = None
            if settings.accelerate is not None:
                slope = slope_of(program, ahead.params, new, rows)
            zero = jnp.zeros((), jnp.int32)
            return settle(program, settings, state, ahead, new, slope, zero, bounds, rows)

        compiled = self._compiled(("settle", settings), of, quick)
        return compiled(state, ahead, self.rounded(new), bounds, self.common)

    def scales(self, params: Params) -> np.ndarray:
        """(k,) the components' own smallest scales."""
        function = partial(relative_scale, self.program)
        return np.asarray(self._compiled("scales", function, quick)(params, self.common))

    def _compiled(self, name: Any, function: Callable, jit: Callable) -> Any:
        return engine.compiled(self.program, ("passes", name), lambda: jit(self.program, function))


def quick(program: Program, function: Callable) -> Callable:
    """What runs once a pass."""
    return quick_jit(program, function, _OFTEN)


def climb_passes(
    settings: Settings,
    rows: Streamed,
    starts: Sequence[Params],
    tolerance: float,
    report: Report = lambda number, best: None,
) -> Outcome:
    """Climbs from several parameters at once, in the same passes; see `loop.climb`.

    One that cannot come out above another is left where it is, as MAX_STEPS.
    """
    passes = Passes(settings, rows)
    first = passes.expectations(starts)
    assert rows.facts is not None
    facts, dtype = rows.facts, passes.dtype
    if dtype.itemsize < 8:  # from here on terms are counted from their mean: see `Rows.level`
        value = max(float(e.objective) for e in first) / facts.total
        more = as_level(value, dtype)
        rows.level = more
        first = [e._replace(objective=e.objective - more * facts.total) for e in first]
    climbs = [passes.begin(p, e) for p, e in zip(starts, first, strict=True)]
    base = rows.base
    whole = worst_of_total(rows.level, facts.total, facts.squares, dtype)
    noise = noise_of_squares(facts.squares, dtype)
    bounds = Bounds(*(as_jax(v, dtype) for v in (tolerance, noise, whole)))
    for number in range(1, settings.max_steps + 1):
        running = [c for c in climbs if c.running and not _hopeless(c, climbs)]
        if not running:
            break
        ahead = [passes.propose(c.state) for c in running]
        found = passes.expectations([a.params for a in ahead])
        for one, there, new in zip(running, ahead, found, strict=True):
            one.state = passes.settle(one.state, there, new, bounds)
            one.trace.append(float(one.state.expected.objective) + base)
        report(number, max(c.trace[-1] for c in climbs if c.trace))
    return _outcome(passes, climbs, base)


def as_level(value: float, dtype: np.dtype) -> float:
    """A number that single precision holds exactly; 0 for one that is not finite."""
    return float(np.asarray(value, dtype)) if np.isfinite(value) else 0.0


def slope_of(program: Program, params: Params, expected: Expectation, rows: Rows) -> Params:
    """The gradient of the objective at the parameters of an E-step, by its statistics alone.

    Fisher's identity: it is that of Q, in whose part each block's own parameters enter.
    """
    slope = jax.tree.map(jnp.zeros_like, params)
    for block in program.blocks:
        if block.sites:
            found = jax.grad(expected_log_likelihood(program, block, expected, rows))(params)
            slope |= {n: found[n] for n in block.parameters}
    if program.posterior:
        prior = jax.grad(lambda p: log_prior(program, p, rows.arrays))(params)
        slope = {n: v + prior[n] for n, v in slope.items()}
    return slope


def _hopeless(one: Climb, climbs: Sequence[Climb]) -> bool:
    best = max((c.trace[-1] for c in climbs if c.trace), default=-np.inf)
    return len(one.trace) >= _PASSES and one.hope < best


def _outcome(passes: Passes, climbs: Sequence[Climb], base: float) -> Outcome:
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
        "code": np.array([Status.MAX_STEPS if c == RUNNING else c for c in codes]),
        "reseeded": np.zeros(len(states), int),
        "trace": trace,
        "labels": None,
    }
    return Outcome(**found)
