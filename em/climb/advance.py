"""One step of a climb in two halves: where to, before the E-step there; what of it, after."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..classes.assignments import settles_after
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..rows import scales
from ..step.expectation import Expectation
from ..step.maximisation import FIRST_STEPS, INNER_STEPS, m_step
from ..step.prior import without_mode
from .leap import Leap, begin, leap
from .state import Flight, Settings, State
from .status import Status
from .stopping import Bounds, judge, judge_leap, rounding

# An accelerated step may not take a component's relative scale below this and far below EM's step.
_SOUND = 0.05


class Ahead(NamedTuple):
    """The parameters to try next; of an accelerated step also EM's own, and what is remembered."""

    params: Params
    image: Params
    leap: Leap | None
    memory: Any


def propose(program: Program, settings: Settings, state: State, rows: Rows) -> Ahead:
    """Where the next step goes, by the E-step here."""
    # The first M-step may be far from where numeric rungs start: it gets more inner steps.
    inner = jnp.where(state.steps == 0, FIRST_STEPS, INNER_STEPS)
    reach = 1.0 if state.reach is None else state.reach
    image = m_step(program, state.expected, state.params, rows, inner, reach)
    if settings.accelerate is None:
        return Ahead(image, image, None, None)
    assert state.flight is not None
    slope, moved, memory = state.flight
    params, ahead, memory = leap(
        program, settings.accelerate, memory, state.params, image, slope, moved, rows
    )
    # The starting parameters are no point of the climb, their statistics are.
    first = state.steps == 0
    start = begin(program, settings.accelerate, state.params, rows)
    memory = jax.tree.map(lambda new, old: jnp.where(first, old, new), memory, start)
    params = {n: jnp.where(first, image[n], v) for n, v in params.items()}
    return Ahead(params, image, ahead._replace(plain=ahead.plain | first), memory)


# A step that fell is tried again by so much of it, and given up as rounding below the last.
_SHORTER, _SHORTEST = 0.25, 1e-3


def _shortened(
    state: State, new: Expectation, fell: jax.Array, plain: jax.Array, bounds: Bounds
) -> tuple[jax.Array | None, jax.Array]:
    """The reach of the next step, and whether none is left to try.

    That would be too short, or what fell was rounding.

    ``plain`` says that the step was the M-step's own.
    """
    if state.reach is None:
        return None, jnp.asarray(True)
    shorter = jnp.where(plain, _SHORTER * state.reach, state.reach)
    reach = jnp.where(fell, shorter, jnp.minimum(2 * state.reach, 1))
    slight = state.expected.objective - new.objective <= rounding(new.objective, bounds.whole)
    return reach, fell & plain & ((reach < _SHORTEST) | slight)


def settle(
    program: Program,
    settings: Settings,
    state: State,
    ahead: Ahead,
    new: Expectation,
    slope: Params | None,
    reseeded: jax.Array,
    bounds: Bounds,
    rows: Rows,
) -> State:
    """The state after a step, by the E-step ``new`` where it led and the gradient there."""
    if ahead.leap is None:
        return _stepped(program, settings, state, ahead.params, new, reseeded, bounds, rows)
    params, leap_, memory = ahead.params, ahead.leap, ahead.memory
    assert state.flight is not None
    first = state.steps == 0
    scale, narrowest = scales.of_step(program, params, rows)
    plain_scale = scales.direct(program, ahead.image, rows).min()
    sound = leap_.plain | (scale >= jnp.minimum(plain_scale / 2, _SOUND))
    higher = new.objective >= state.expected.objective
    if state.reach is None:
        taken = first | ((higher | (leap_.plain & (new.objective == jnp.inf))) & sound)
    else:
        taken = higher & sound
    reach, last = _shortened(state, new, ~taken, leap_.plain, bounds)
    code = judge_leap(state, new, leap_, scale, narrowest, taken, last, bounds)
    code = jnp.where(taken & without_mode(program, params, rows), Status.NO_MODE, code)
    here = (state.params, state.expected, state.flight.slope)
    params, expected, slope = jax.tree.map(
        lambda a, b: jnp.where(taken, a, b), (params, new, slope), here
    )
    assert slope is not None
    gain = jnp.where(taken, new.objective - state.expected.objective, 0)
    flight = Flight(slope, taken, memory)
    return State(params, expected, gain, state.steps + 1, code, state.reseeded, flight, reach)


def _still_a_number(state: State, new: State) -> State:
    """The state before where the objective is no number after: a scale that has become 0, say."""
    known = (state.steps > 0) & jnp.isfinite(state.expected.objective)
    lost = jnp.isnan(new.expected.objective) & known
    old = state._replace(steps=new.steps, code=new.code)
    return jax.tree.map(lambda a, b: jnp.where(lost, a, b), old, new)


def _stepped(
    program: Program,
    settings: Settings,
    state: State,
    params: Params,
    new: Expectation,
    reseeded: jax.Array,
    bounds: Bounds,
    rows: Rows,
) -> State:
    scale, narrowest = scales.of_step(program, params, rows)
    gain = new.objective - state.expected.objective
    # A start may be parameters: then the first step has something to rise from.
    scheduled = settles_after(settings.assign)
    settled = state.steps > scheduled
    rises = settled | (scheduled == 0)
    if state.reach is not None:  # part of a step gains but part of what is left
        bounds = bounds._replace(tolerance=bounds.tolerance * state.reach)
    code = judge(state, new, gain, scale, narrowest, reseeded, bounds, settled, rises)
    code = jnp.where(without_mode(program, params, rows), Status.NO_MODE, code)
    next_ = State(params, new, gain, state.steps + 1, code, state.reseeded + reseeded, None)
    if state.reach is None:
        return _still_a_number(state, next_)
    fell = ~(gain >= -rounding(new.objective, bounds.whole))
    reach, last = _shortened(state, new, fell, jnp.asarray(True), bounds)
    again = state._replace(steps=state.steps + 1, code=jnp.where(last, code, state.code))
    kept: State = jax.tree.map(
        lambda a, b: jnp.where(fell, a, b),
        again._replace(reach=None),
        next_,
    )
    return kept._replace(reach=reach)
