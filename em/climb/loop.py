"""The one loop of EM: M-step, E-step, until an algorithm's own rule says stop; all on device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..classes.assignments import Assign, at
from ..classes.assignments.soft import Soft
from ..machine.jit import apart
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..rows.scales import of_all
from ..step.expectation import Expectation
from ..step.objective import evaluate
from ..step.reseeding import reseed
from ..step.slope import slope_of
from .advance import propose, settle
from .leap import begin
from .state import RUNNING, Course, Outcome, Settings, State
from .status import Status
from .stopping import Bounds, noise_of, worst_of


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
    bounds = Bounds(tolerance, noise_of(rows.weights), worst_of(rows))

    def advance(state: State, key: jax.Array) -> State:
        ahead = propose(program, settings, state, rows)
        slope, reseeded = None, jnp.zeros((), jnp.int32)
        if settings.accelerate is not None:
            new, slope = _with_slope(program, settings.assign, ahead.params, rows)
        else:
            new = evaluate(program, at(settings.assign, state.steps, key), ahead.params, rows)
            if settings.assign.hard:
                new, reseeded = reseed(program, new, rows)
        return settle(program, settings, state, ahead, new, slope, reseeded, bounds, rows)

    def every(state: State) -> State:
        if starts == 1:
            return _expand(advance(_squeeze(state), keys[0]))
        if apart(program) and program.shards is None:
            # One after the other, where a step fills the caches by itself: those that have ended
            # cost nothing then.
            return jax.lax.map(lambda own: _unless_ended(advance, *own), (state, keys))
        active = state.code == RUNNING
        new = jax.vmap(advance)(state, keys)
        return jax.tree.map(lambda a, b: jnp.where(_like(active, a), a, b), new, state)

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
        return Course(new, record(trace, new, t, active), t + 1)

    found: Course = jax.lax.while_loop(go_on, step, course)
    if program.shards is not None:  # the next leg begins as this one did
        found = jax.lax.with_sharding_constraint(found, found.places(program.shards))
    own = found.state.params, found.state.expected.responsibilities, jnp.arange(starts)
    return found, jax.vmap(lambda p, r, _: of_all(program, p, rows, r))(*own)


def _unless_ended(advance: Callable, state: State, key: jax.Array) -> State:
    found: State = jax.lax.cond(state.code == RUNNING, advance, lambda state, _: state, state, key)
    return found


def _squeeze(tree: Any) -> Any:
    return jax.tree.map(lambda a: a[0], tree)


def _expand(tree: Any) -> Any:
    return jax.tree.map(lambda a: a[None], tree)


def _like(flag: jax.Array, array: jax.Array) -> jax.Array:
    return flag.reshape(flag.shape + (1,) * (array.ndim - 1))


def _with_slope(
    program: Program, assign: Assign, params: Params, rows: Rows
) -> tuple[Expectation, Params]:
    """The E-step, and the gradient of the objective there.

    Statistics are all that it takes, where all rows' densities are linear in them.
    """
    if isinstance(assign, Soft) and not program.rowwise:
        found = evaluate(program, assign, params, rows)
        return found, slope_of(program, params, found, rows)

    def objective(params: Params) -> tuple[jax.Array, Expectation]:
        found = evaluate(program, assign, params, rows)
        return found.objective, found

    (_, found), slope = jax.value_and_grad(objective, has_aux=True)(params)
    return found, slope
