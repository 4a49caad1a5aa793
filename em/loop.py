"""The one loop of EM: M-step, E-step, until an algorithm's own rule says stop; all on device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .acceleration import Accelerate, Leap, begin, leap
from .assign import Assign
from .chunks import Rows
from .expectation import Expectation
from .maximisation import FIRST_STEPS, INNER_STEPS, m_step
from .objective import evaluate
from .point import arguments
from .prior import without_mode
from .program import Params, Program
from .reseeding import reseed
from .schedule import at, settles_after
from .status import Status

RUNNING = -1
# An accelerated step may not take a component's relative scale below this and far below EM's step.
_SOUND = 0.05


@dataclass(frozen=True)
class Settings:
    """What is compiled into a loop."""

    assign: Assign
    max_steps: int
    progress: Callable[[Any, Any, Any], None] | None = None
    accelerate: Accelerate | None = None


class State(NamedTuple):
    """Where a climb is: parameters, the E-step at them, and what the stopping rule remembers.

    ``flight`` is None without acceleration.
    """

    params: Params
    expected: Expectation
    gain: jax.Array
    steps: jax.Array
    code: jax.Array
    reseeded: jax.Array
    flight: Flight | None


class Flight(NamedTuple):
    """The objective's gradient here, whether the last proposal was taken, what is remembered."""

    slope: Params
    moved: jax.Array
    memory: Any


class Outcome(NamedTuple):
    """Where r climbs ended, with all that is needed to judge them. ``trace`` is (r, steps)."""

    params: Params
    objective: jax.Array
    counts: jax.Array
    relative_scale: jax.Array
    steps: jax.Array
    code: jax.Array
    reseeded: jax.Array
    trace: jax.Array
    labels: jax.Array | None

    def continued(self, start: int, rest: Outcome) -> Outcome:
        """With the climb of one start taken to its end by ``rest``, a climb of one start."""
        steps, more = int(self.steps[start]), int(rest.steps[0])
        trace = self.trace.copy()
        width = trace.shape[1]
        trace[start, steps : steps + more] = rest.trace[0, : min(more, width - steps)]

        def put(old: Any, new: Any) -> Any:
            changed = old.copy()
            changed[start] = new[0]
            return changed

        taken = jax.tree.map(put, self, rest)
        total = np.asarray(taken.steps)
        total[start] = min(steps + more, width)
        code = np.asarray(taken.code)
        if steps + more > width:
            code[start] = Status.MAX_STEPS
        return taken._replace(trace=trace, steps=total, code=code)


def climb(
    program: Program,
    settings: Settings,
    rows: Rows,
    params: Params,
    expected: Expectation,
    tolerance: jax.Array,
    limit: jax.Array | int,
    keys: jax.Array,
    run: jax.Array | int = 0,
) -> Outcome:
    """EM from r starts at once, given as the statistics ``expected`` (r, ...) of each.

    The M-step of a start gives its first parameters; ``params`` (r, ...) are only where numeric
    M-steps begin. ``trace[:, t]`` is the objective after step t + 1. A climb stops when what is
    left of it, by Aitken's rule, is below ``tolerance`` (see `stopping`), or when no row changes
    its component if the assignment is hard; the others go on, for ``limit`` steps at most.
    ``keys`` (r,) are for assignments that draw; ``run`` is the number of the run whose progress
    is shown.
    """
    dtype = expected.counts.dtype
    starts = expected.counts.shape[0]

    def plain(state: State, key: jax.Array) -> State:
        # The first M-step may be far from where numeric rungs start: it gets more inner steps.
        inner = jnp.where(state.steps == 0, FIRST_STEPS, INNER_STEPS)
        params = m_step(program, state.expected, state.params, rows, inner)
        new = evaluate(program, at(settings.assign, state.steps, key), params, rows)
        reseeded = jnp.zeros((), jnp.int32)
        if settings.assign.hard:
            new, reseeded = reseed(program, new, rows)
        scale = relative_scale(program, params, rows).min()
        gain = new.objective - state.expected.objective
        # A start may be parameters: then the first step has something to rise from.
        scheduled = settles_after(settings.assign)
        settled = state.steps > scheduled
        rises = settled | (scheduled == 0)
        code = _judge(state, new, gain, scale, reseeded, tolerance, settled, rises)
        code = jnp.where(without_mode(program, params, rows), Status.NO_MODE, code)
        return State(params, new, gain, state.steps + 1, code, state.reseeded + reseeded, None)

    def accelerated(state: State, _: jax.Array) -> State:
        assert settings.accelerate is not None
        assert state.flight is not None
        slope, moved, memory = state.flight
        inner = jnp.where(state.steps == 0, FIRST_STEPS, INNER_STEPS)
        image = m_step(program, state.expected, state.params, rows, inner)
        params, ahead, memory = leap(
            program, settings.accelerate, memory, state.params, image, slope, moved, rows
        )
        # The starting parameters are no point of the climb, their statistics are.
        first = state.steps == 0
        start = begin(program, settings.accelerate, state.params, rows)
        memory = jax.tree.map(lambda new, old: jnp.where(first, old, new), memory, start)
        params = {n: jnp.where(first, image[n], v) for n, v in params.items()}
        ahead = ahead._replace(plain=ahead.plain | first)
        new, slope = _with_slope(program, settings.assign, params, rows)
        scale = relative_scale(program, params, rows).min()
        plain_scale = relative_scale(program, image, rows).min()
        sound = ahead.plain | (scale >= jnp.minimum(plain_scale / 2, _SOUND))
        higher = new.objective >= state.expected.objective
        taken = first | ((higher | (ahead.plain & ~jnp.isfinite(new.objective))) & sound)
        code = _judge_leap(state, new, ahead, scale, taken, tolerance)
        code = jnp.where(taken & without_mode(program, params, rows), Status.NO_MODE, code)
        here = (state.params, state.expected, state.flight.slope)
        params, expected, slope = jax.tree.map(
            lambda a, b: jnp.where(taken, a, b), (params, new, slope), here
        )
        gain = jnp.where(taken, new.objective - state.expected.objective, 0)
        flight = Flight(slope, taken, memory)
        return State(params, expected, gain, state.steps + 1, code, state.reseeded, flight)

    advance = plain if settings.accelerate is None else accelerated

    def every(state: State) -> State:
        if starts > 1:
            return jax.vmap(advance)(state, keys)
        return _expand(advance(_squeeze(state), keys[0]))

    def record(trace: jax.Array, state: State, t: jax.Array, active: jax.Array) -> jax.Array:
        values = jnp.where(active, state.expected.objective, jnp.nan)
        if settings.progress is not None:
            jax.debug.callback(settings.progress, run, t + 1, jnp.nanmax(values), ordered=True)
        return jax.lax.dynamic_update_index_in_dim(trace, values, t, 1)

    def go_on(carry: tuple) -> jax.Array:
        state, _, t = carry
        return (state.code == RUNNING).any() & (t < jnp.minimum(limit, settings.max_steps))

    def step(carry: tuple) -> tuple:
        state, trace, t = carry
        active = state.code == RUNNING
        new = every(state)
        if starts > 1:
            new = jax.tree.map(lambda a, b: jnp.where(_like(active, a), a, b), new, state)
        return new, record(trace, new, t, active), t + 1

    zeros = jnp.zeros((starts,), jnp.int32)
    infinite = jnp.full((starts,), jnp.inf, dtype)
    flight = None
    if settings.accelerate is not None:
        accelerate = settings.accelerate
        memory = jax.vmap(lambda p: begin(program, accelerate, p, rows))(params)
        flight = Flight(jax.tree.map(jnp.zeros_like, params), zeros > 0, memory)
    state = State(params, expected, infinite, zeros, zeros + RUNNING, zeros, flight)
    trace = jnp.full((starts, settings.max_steps), jnp.nan, dtype)
    state, trace, _ = jax.lax.while_loop(go_on, step, (state, trace, 0))
    scales = jax.vmap(lambda p, _: relative_scale(program, p, rows))(state.params, zeros)
    return Outcome(
        params=state.params,
        objective=state.expected.objective,
        counts=state.expected.counts,
        relative_scale=scales,
        steps=state.steps,
        code=jnp.where(state.code == RUNNING, Status.MAX_STEPS, state.code),
        reseeded=state.reseeded,
        trace=trace,
        labels=state.expected.labels,
    )


def _squeeze(tree: Any) -> Any:
    return jax.tree.map(lambda a: a[0], tree)


def _expand(tree: Any) -> Any:
    return jax.tree.map(lambda a: a[None], tree)


def _like(flag: jax.Array, array: jax.Array) -> jax.Array:
    return flag.reshape(flag.shape + (1,) * (array.ndim - 1))


def relative_scale(program: Program, params: Params, rows: Rows) -> jax.Array:
    """(k,) each component's own smallest scale relative to the data's (infinite if it has none)."""
    args = arguments(program, params, rows)
    smallest = jnp.full((program.num_components,), jnp.inf)
    for site in program.of_families:
        assert site.ties is not None
        own = site.family.relative_scale(args[site.name], site.ties, rows.reference[site.name])
        if own is not None:
            # The components of rows within units count for those of their unit.
            smallest = jnp.minimum(smallest, own.reshape(program.num_components, -1).min(1))
    return smallest


def scale_floor(dtype: Any) -> float:
    """Below this relative scale a component counts as collapsed: its digits are used up."""
    return 1e-6 if jnp.finfo(dtype).bits > 32 else 1e-3


def rounding(objective: jax.Array) -> jax.Array:
    """How far an objective may move by rounding alone."""
    return 8 * jnp.finfo(objective.dtype).eps * (1 + jnp.abs(objective))


def _judge(
    state: State,
    new: Expectation,
    gain: jax.Array,
    scale: jax.Array,
    reseeded: jax.Array,
    tolerance: jax.Array,
    settled: jax.Array,
    rises: jax.Array,
) -> jax.Array:
    objective = new.objective
    calm = (reseeded == 0) & settled
    done = calm & stopping(gain, state.gain, objective, tolerance)
    if new.labels is not None and state.expected.labels is not None:
        done = calm & (new.labels == state.expected.labels).all() | (calm & (gain == 0))
    fell = (reseeded == 0) & rises & (state.reseeded == 0) & (gain < -100 * rounding(objective))
    code = jnp.where(done, Status.CONVERGED, RUNNING)
    code = jnp.where(fell, Status.LOWERED, code)
    code = jnp.where(jnp.isfinite(objective), code, _why_not_finite(objective))
    collapsed = ~(scale >= scale_floor(objective.dtype))
    return jnp.where(collapsed, Status.COLLAPSED, code).astype(jnp.int32)


def _why_not_finite(objective: jax.Array) -> jax.Array:
    return jnp.where(objective == jnp.inf, Status.NO_MODE, Status.NOT_FINITE)


def _with_slope(
    program: Program, assign: Assign, params: Params, rows: Rows
) -> tuple[Expectation, Params]:
    def objective(params: Params) -> tuple[jax.Array, Expectation]:
        found = evaluate(program, assign, params, rows)
        return found.objective, found

    (_, found), slope = jax.value_and_grad(objective, has_aux=True)(params)
    return found, slope


def _judge_leap(
    state: State,
    new: Expectation,
    ahead: Leap,
    scale: jax.Array,
    taken: jax.Array,
    tolerance: jax.Array,
) -> jax.Array:
    """As `_judge`, for a step that may be longer than EM's own.

    Aitken's estimate is for steps that shrink by a steady factor; here the accelerator's model
    of the objective says what is left, and the step to that model's top must have confirmed it:
    both below ``tolerance``. A full step that changes no more than rounding does stops as well, and
    so does a refused step of EM's own, since the next one would be the same.
    """
    objective = new.objective
    change = jnp.abs(objective - state.expected.objective)
    calm = (state.steps > 0) & ahead.full
    settled = (ahead.rest < tolerance) & (change < tolerance)
    stuck = ahead.plain & (state.steps > 0) & ~taken
    done = (calm & (settled | (change <= rounding(objective)))) | stuck
    fell = stuck & (change > 100 * rounding(objective))
    code = jnp.where(done, Status.CONVERGED, RUNNING)
    code = jnp.where(fell, Status.LOWERED, code)
    broken = ahead.plain & ~jnp.isfinite(objective)
    code = jnp.where(broken, _why_not_finite(objective), code)
    collapsed = taken & ~(scale >= scale_floor(objective.dtype))
    return jnp.where(collapsed, Status.COLLAPSED, code).astype(jnp.int32)


def stopping(
    gain: jax.Array, last_gain: jax.Array, objective: jax.Array, tolerance: jax.Array
) -> jax.Array:
    """Whether the rest of the climb is negligible.

    EM's gains shrink by a steady factor ``a = gain / last_gain``, so that what is left is
    ``gain a / (1 - a)`` (Aitken; Boehning et al. 1994, Annals of the Institute of Statistical
    Mathematics 46:373). It must be below ``tolerance``, in natural-log units of the total
    objective: a unit that needs no scale, since a parameter that is e standard errors away from
    the optimum costs ``e^2 / 2``. A change that rounding alone can make stops as well. So does any
    fall: EM's own steps rise, so that rounding, however large it is on this data (terms that
    cancel round as they are, not as their sum), is larger than what is left to gain by a step.
    Otherwise single precision may go round in a circle of a few values for ever.
    """
    factor = gain / last_gain
    rest = jnp.where((factor > 0) & (factor < 1), gain * factor / (1 - factor), jnp.inf)
    settled = (rest < tolerance) & (gain < tolerance)
    return settled | (gain <= rounding(objective))
