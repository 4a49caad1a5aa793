"""Small equations solved for every component and cell at once, safely."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ..machine.loops import while_loop

_MAX_STEPS = 100


def root(
    function: Callable[[jax.Array], tuple[jax.Array, jax.Array]],
    start: jax.Array,
    low: jax.Array | float,
    high: jax.Array | float,
) -> jax.Array:
    """The zero in (low, high) of a decreasing function of a positive number, elementwise.

    ``function`` gives the value and the derivative. Newton's method on the logarithm, kept within
    a bracket that shrinks at every step; where the bracket would be left it is halved. Without a
    zero inside, the nearer end is approached.
    """
    eps = jnp.finfo(start.dtype).eps
    low = jnp.log(jnp.broadcast_to(jnp.asarray(low, start.dtype), start.shape))
    high = jnp.log(jnp.broadcast_to(jnp.asarray(high, start.dtype), start.shape))

    def go_on(state: tuple) -> jax.Array:
        step, _, _, _, moving = state
        return (step < _MAX_STEPS) & moving.any()

    def again(state: tuple) -> tuple:
        step, log_a, low, high, moving = state
        a = jnp.exp(log_a)
        value, slope = function(a)
        low = jnp.where(value >= 0, log_a, low)
        high = jnp.where(value <= 0, log_a, high)
        newton = log_a - value / (slope * a)
        inside = (newton >= low) & (newton <= high)
        new = jnp.where(inside, newton, (low + high) / 2)
        new = jnp.where(moving, new, log_a)
        # After a small step of Newton's the error is about its square.
        least = jnp.where(inside, 0.1 * eps**0.5, 4 * eps * (1 + jnp.abs(log_a)))
        return step + 1, new, low, high, jnp.abs(new - log_a) > least

    moving = jnp.ones(start.shape, bool)
    log_start = jnp.clip(jnp.log(start), low, high)
    return jnp.exp(while_loop(go_on, again, (0, log_start, low, high, moving), log_start)[1])


def root_of_score(
    score: Callable[[jax.Array], jax.Array],
    old: jax.Array,
    rows: jax.Array,
    low: float,
    high: float,
) -> jax.Array:
    """The `root` of a decreasing score, differentiated here; ``old`` where there are no rows."""

    def equation(a: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, slope = jax.jvp(score, (a,), (jnp.ones_like(a),))
        return jnp.where(rows > 0, value, 1 - a / old), jnp.where(rows > 0, slope, -1 / old)

    return root(equation, old, low, high)


def ascend(
    evaluate: Callable[[jax.Array], tuple[jax.Array, jax.Array]],
    start: jax.Array,
    max_steps: int = _MAX_STEPS,
) -> jax.Array:
    """Maxima (..., m) of functions of m positive numbers, one function for each leading index.

    ``evaluate`` gives the values (...) and an ascent step (..., m), Newton's where it can. A step
    that would take a number below a fifth of itself is shortened, one that lowers the value is
    halved; so nothing ever goes down, whatever step is proposed.
    """
    eps = jnp.finfo(start.dtype).eps
    shrink = jnp.asarray(0.8, start.dtype)

    def admissible(point: jax.Array, step: jax.Array) -> jax.Array:
        step = jnp.where(jnp.isfinite(step), step, 0)
        longest = jnp.max(-step / point, -1, keepdims=True)
        return step * jnp.where(longest > shrink, shrink / jnp.maximum(longest, shrink), 1)

    def go_on(state: tuple) -> jax.Array:
        count, _, _, _, moving = state
        return (count < max_steps) & moving.any()

    def again(state: tuple) -> tuple:
        count, point, value, step, moving = state
        new = point + step
        new_value, new_step = evaluate(new)
        # Near the top rounding decides the comparison: let Newton's last steps pass.
        good = new_value >= value - 4 * eps * (1 + jnp.abs(value))
        keep = moving & good
        small = jnp.max(jnp.abs(step) / point, -1) < 8 * eps
        point = jnp.where(keep[..., None], new, point)
        value = jnp.where(keep, new_value, value)
        step = jnp.where(keep[..., None], admissible(point, new_step), step / 2)
        return count + 1, point, value, step, moving & ~small

    value, step = evaluate(start)
    moving = jnp.ones(value.shape, bool)
    state = (0, start, value, admissible(start, step), moving)
    return while_loop(go_on, again, state, start)[1]
