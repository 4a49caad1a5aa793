"""The end of a climb by numeric M-steps, tried: does a move of some parameters still raise it?

Newton's method stops where the objective has a corner or a step, and at a saddle; EM then stands
still, whatever is left to gain. Moves along the unconstrained coordinates and some directions at
random, of sizes from far to near (direct search: Kolda, Lewis & Torczon 2003, SIAM Review 45:385),
need no derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ..classes.assignments import Assign
from ..machine.arrays import array as as_jax
from ..machine.jit import every, quick_jit
from ..machine.loops import while_loop
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..step.objective import evaluate
from .selection import Restarts
from .state import Outcome
from .status import Status
from .stopping import rounding

_SIZES = (1.0, 0.3, 0.1, 0.01, 1e-3, 1e-4)
# Directions at random, for each coordinate.
_OTHERS = 2
_MOVES, _MISSES = 60, 3
_ROUNDS = 10
# More multiplications than this are no cheap check.
_BUDGET = 2e8
# A climb stops by an estimate of what is left, which may be short by some factor.
_FACTOR = 100


def leave(
    program: Program,
    rows: Rows,
    assign: Assign,
    tolerance: float,
    found: tuple[Outcome, Restarts],
    climb_on: Callable[[Outcome, int, Params], tuple[Outcome, Restarts]],
) -> tuple[Outcome, Restarts]:
    """Climb on from the end of the chosen climb, while a move of the parameters raises it.

    ``climb_on(outcome, start, params)`` takes a climb further. If moves still help after
    some rounds the status says so.
    """
    names = _names(program)
    size = sum(int(np.prod(p.shape)) for p in program.structure.free if p.name in names)
    times = 2 * len(_SIZES) * (1 + _OTHERS) * size
    if not names or program.work * times > _BUDGET:
        return found
    outcome, restarts = found
    compiled = program.compiled(
        ("corners", assign), lambda: quick_jit(program, partial(moved, program, assign), times)
    )
    for tried in range(_ROUNDS + 1):
        best = restarts.chosen
        if restarts.status[best] != Status.CONVERGED:
            break
        params = {n: as_jax(v[best]) for n, v in outcome.params.items()}
        new, gained = compiled(params, rows, tolerance)
        if not bool(gained):
            break
        if tried == _ROUNDS:
            restarts.status[best] = Status.STALLED
            break
        outcome, restarts = climb_on(outcome, best, new)
    return outcome, restarts


def moved(
    program: Program, assign: Assign, params: Params, rows: Rows, tolerance: jax.Array | float
) -> tuple[Params, jax.Array]:
    """Parameters after the best of those moves, one after another, and whether there was any.

    A move counts if it raises the objective by more than the climb's own error.
    """
    names = _names(program)
    unconstrained = program.unconstrain(params, rows.arrays, names)
    limits = {n: jnp.full_like(v, program.limit(n, rows)) for n, v in unconstrained.items()}
    (start, unravel), (limit, _) = ravel_pytree(unconstrained), ravel_pytree(limits)
    # Logarithms and logits have a unit of their own, other numbers that of the data.
    unit = jnp.where(jnp.isfinite(limit), 1, rows.spread + jnp.abs(start))
    limit = jnp.maximum(limit, jnp.abs(start))
    # No move at all is the first: the objective is compiled once.
    sizes = jnp.asarray([s * h for h in _SIZES for s in (1, -1)], start.dtype)
    size, way = jnp.meshgrid(sizes, jnp.arange((1 + _OTHERS) * start.size))
    size, way = jnp.append(0, size.ravel()), jnp.append(0, way.ravel())
    drawn = np.random.default_rng(0).normal(size=(_MOVES, _OTHERS * start.size, start.size))
    others = jnp.asarray(drawn / np.linalg.norm(drawn, axis=-1, keepdims=True), start.dtype)

    def at(vector: jax.Array) -> Params:
        return program.constrain(unravel(vector), params, rows.arrays)

    def directions(count: jax.Array) -> jax.Array:
        return jnp.concatenate([jnp.eye(start.size, dtype=start.dtype), others[count]]) * unit

    def objective(vector: jax.Array) -> jax.Array:
        value = evaluate(program, assign, at(vector), rows).objective
        return jnp.where(jnp.isfinite(value), value, -jnp.inf)

    def go_on(state: tuple) -> jax.Array:
        count, misses, _, _ = state
        return (misses < _MISSES) & (count < _MOVES)

    def again(state: tuple) -> tuple:
        count, misses, vector, value = state
        ways = directions(count)

        def move(number: jax.Array) -> jax.Array:
            return jnp.clip(vector + size[number] * ways[way[number]], -limit, limit)

        each = every(program, len(size))
        values = each(lambda m: objective(move(m)))(jnp.arange(len(size)))
        value = jnp.where(count == 0, values[0], value)
        best = values.argmax()
        hit = values[best] - value > jnp.maximum(_FACTOR * tolerance, 100 * rounding(value))
        new, new_value = jnp.where(hit, move(best), vector), jnp.where(hit, values[best], value)
        return count + 1, jnp.where(hit, 0, misses + 1), new, new_value

    begin = (0, 0, start, jnp.asarray(-jnp.inf, start.dtype))
    _, _, vector, _ = while_loop(go_on, again, begin, start)
    return at(vector), (vector != start).any()


def _names(program: Program) -> tuple[str, ...]:
    """The parameters of numeric blocks that the data reach."""
    return tuple(n for b in program.blocks if b.numeric and b.sites for n in b.parameters)
