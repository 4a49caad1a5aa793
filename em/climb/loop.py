"""The one loop of EM: M-step, E-step, until an algorithm's own rule says stop; all on device."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..classes.assignments import Assign, at, settles_after
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..rows.point import arguments
from ..step.expectation import Expectation
from ..step.maximisation import FIRST_STEPS, INNER_STEPS, m_step
from ..step.objective import evaluate
from ..step.prior import without_mode
from ..step.reseeding import reseed
from .leap import begin, leap
from .state import RUNNING, Course, Flight, Outcome, Settings, State
from .status import Status
from .stopping import judge, judge_leap, noise_of, worst_of

# An accelerated step may not take a component's relative scale below this and far below EM's step.
_SOUND = 0.05


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
    memory = None
    if settings.accelerate is not None:
        accelerate = settings.accelerate
        memory = jax.vmap(lambda p: begin(program, accelerate, p, rows))(params)
    course = Course.begun(settings, params, expected, memory)
    course, scales = leg(program, settings, rows, course, tolerance, limit, keys, run)
    return course.ended(scales).stopped(Status.MAX_STEPS, jnp)


def leg(
    program: Program,
    settings: Settings,
    rows: Rows,
    course: Course,
    tolerance: jax.Array,
    limit: jax.Array | int,
    keys: jax.Array,
    run: jax.Array | int = 0,
) -> tuple[Course, jax.Array]:
    """Climbs from where they are until they have ended, or taken ``limit`` steps since they began.

    Also (r, k) each component's smallest relative scale there. However a climb is cut into legs,
    it takes the same steps.
    """
    starts = course.state.steps.shape[0]
    noise, whole = noise_of(rows.weights), worst_of(rows)

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
        code = judge(state, new, gain, scale, reseeded, tolerance, settled, rises, noise, whole)
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
        code = judge_leap(state, new, ahead, scale, taken, tolerance, noise, whole)
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

    def go_on(course: Course) -> jax.Array:
        state, _, t = course
        return (state.code == RUNNING).any() & (t < jnp.minimum(limit, settings.max_steps))

    def step(course: Course) -> Course:
        state, trace, t = course
        active = state.code == RUNNING
        new = every(state)
        if starts > 1:
            new = jax.tree.map(lambda a, b: jnp.where(_like(active, a), a, b), new, state)
        return Course(new, record(trace, new, t, active), t + 1)

    found: Course = jax.lax.while_loop(go_on, step, course)
    if program.shards is not None:  # the next leg begins as this one did
        found = jax.lax.with_sharding_constraint(found, found.places(program.shards))
    own = found.state.params
    return found, jax.vmap(lambda p, _: relative_scale(program, p, rows))(own, jnp.arange(starts))


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


def _with_slope(
    program: Program, assign: Assign, params: Params, rows: Rows
) -> tuple[Expectation, Params]:
    def objective(params: Params) -> tuple[jax.Array, Expectation]:
        found = evaluate(program, assign, params, rows)
        return found.objective, found

    (_, found), slope = jax.value_and_grad(objective, has_aux=True)(params)
    return found, slope
