"""Maximise a smooth function without ever going down: Newton when small, L-BFGS when large."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .loops import while_loop

NEWTON_LIMIT = 64
_HALVINGS = 25
_ARMIJO = 1e-4
_AS_FORESEEN = 0.1
# So near to its limit a coordinate may be held.
_NEAR = 1e-2

Objective = Callable[[jax.Array], jax.Array]


class _Climb(NamedTuple):
    """Newton's state: ``fresh`` where ``value`` is not known yet, ``again`` in a second climb."""

    step: jax.Array
    point: jax.Array
    value: jax.Array
    blocked: jax.Array
    done: jax.Array
    fresh: jax.Array
    again: jax.Array
    best: jax.Array
    best_value: jax.Array


def maximise(
    objective: Objective,
    start: jax.Array,
    max_steps: jax.Array | int,
    limit: jax.Array | float = jnp.inf,
) -> jax.Array:
    """A point no lower than ``start``, close to a local maximum if the steps suffice.

    No coordinate goes beyond ``limit`` (d,) on either side, except one that starts there.
    """
    if start.size == 0:
        return start
    beyond = jnp.where(jnp.isfinite(start), jnp.abs(start), 0)
    limit = jnp.maximum(limit, beyond).astype(start.dtype)
    start = jnp.clip(start, -limit, limit)
    if start.size <= NEWTON_LIMIT:
        return newton(objective, start, max_steps, limit)
    return lbfgs(objective, start, 3 * max_steps, limit)


def newton(
    objective: Objective,
    start: jax.Array,
    max_steps: jax.Array | int,
    limit: jax.Array | float = jnp.inf,
) -> jax.Array:
    """Newton's method with the Hessian's eigenvalues made negative, and backtracking.

    Where the function is not concave the step follows ``|H|`` (Nocedal & Wright 2006, Numerical
    Optimization, section 3.4), so that it always ascends; it is halved until the Armijo condition
    holds. Coordinates whose second derivatives are not finite, as those of a negative binomial's
    mean near 0, follow the first. Non-finite values count as minus infinity. Points are projected
    into the limits; near its limit a coordinate stays while its derivative points outwards
    (Bertsekas 1982, SIAM Journal on Control and Optimization 20:221), or once a step that took it
    outwards has failed. The function is not cut off at the limits: its derivative would be 0 there,
    and nothing would come back.

    A whole step that gained what the quadratic model foresaw is the last one: little is left, and
    EM loses nothing by M-steps that are not solved to the end (Lange 1995, "A gradient algorithm
    locally equivalent to the EM algorithm", JRSS-B 57:425).

    A logarithm or logit far out has derivatives that shrink with it, whatever lies further in: if
    one far out points inwards at the end, a second climb begins with these pulled in, and the
    better of both is kept.
    """
    eps, axes = jnp.finfo(start.dtype).eps, jnp.eye(start.size, dtype=start.dtype)
    bounded = jnp.isfinite(limit)

    def go_on(state: _Climb) -> jax.Array:
        return (state.step < jnp.where(state.again, 2, 1) * max_steps) & ~state.done

    def ascend(state: _Climb) -> _Climb:
        point = state.point
        (here, gradient), along = jax.linearize(jax.value_and_grad(objective), point)
        value = jnp.where(state.fresh, _finite(here), state.value)
        gradient, second = jnp.nan_to_num(gradient), jax.vmap(along)(axes)[1]
        unknown = ~jnp.isfinite(jnp.diagonal(second))
        hessian = jnp.where(unknown | unknown[:, None], -axes, jnp.nan_to_num(second))
        far = bounded & (jnp.abs(point) > limit / 2)
        inwards = (far & (gradient * point < 0)).any()
        near = jnp.abs(point) > limit - _NEAR
        held = near & ((gradient * point > 0) | state.blocked)
        gradient = jnp.where(held, 0, gradient)
        hessian = jnp.where(held | held[:, None], 0, hessian)
        curvature, vectors = jnp.linalg.eigh((hessian + hessian.T) / 2)
        size = jnp.abs(curvature)
        size = jnp.maximum(size, jnp.maximum(size.max() * jnp.sqrt(eps) * 1e-2, eps))
        direction = vectors @ ((vectors.T @ gradient) / size)
        # A long step in a coordinate that stands for a log or a logit overflows: bound it.
        direction = direction * jnp.minimum(1, 20 / (jnp.abs(direction).max() + eps))
        slope = gradient @ direction
        # What is left is rounding: halving the step would not help.
        small = slope <= 10 * eps * (1 + jnp.abs(value))
        # Under `jax.vmap` a climb that has ended goes through all of this until the last one has.
        tries = jnp.where(small | ~go_on(state), _HALVINGS, 0)
        new, new_value, length = backtrack(objective, point, value, direction, slope, tries, limit)
        gain = new_value - value
        foreseen = (length == 1) & (jnp.abs(gain - slope / 2) < _AS_FORESEEN * slope / 2)
        foreseen &= ~unknown.any()
        refused = near & (direction * point > 0) & (gain <= 0) & ~small
        done = small | foreseen | ((gain <= 0) & ~refused.any())
        pull = done & inwards & ~state.again
        better = new_value > state.best_value
        return _Climb(
            step=jnp.where(pull, max_steps, state.step + 1),
            point=jnp.where(pull & far, jnp.clip(new, -limit / 4, limit / 4), new),
            value=new_value,
            blocked=(state.blocked | refused) & ~pull,
            done=done & ~pull,
            fresh=pull,
            again=state.again | pull,
            best=jnp.where(better, new, state.best),
            best_value=jnp.where(better, new_value, state.best_value),
        )

    # Not what comes with the derivative, which may be otherwise by more than rounding: nothing is
    # to go down by the objective itself.
    value, no = _finite(objective(start)), jnp.asarray(False)
    first = _Climb(
        step=jnp.zeros((), int),
        point=start,
        value=value,
        blocked=jnp.zeros(start.shape, bool),
        done=no,
        fresh=no,
        again=no,
        best=start,
        best_value=value,
    )
    return while_loop(go_on, ascend, first, start).best


def backtrack(
    objective: Objective,
    point: jax.Array,
    value: jax.Array,
    direction: jax.Array,
    slope: jax.Array,
    tries: jax.Array | int = 0,
    limit: jax.Array | float = jnp.inf,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The longest of the steps 1, 1/2, 1/4, ... that ascends enough; no step if none does.

    The new point, its value, and the length of the step. ``tries`` are taken as made already.
    Points are projected into the limits.
    """

    def at(length: jax.Array) -> jax.Array:
        return jnp.clip(point + length * direction, -limit, limit)

    def too_low(state: tuple) -> jax.Array:
        tries, length, new_value = state
        return (tries < _HALVINGS) & (new_value < value + _ARMIJO * length * slope)

    def halve(state: tuple) -> tuple:
        tries, length, _ = state
        return tries + 1, length / 2, _finite(objective(at(length / 2)))

    # Even the whole step is taken within the loop, so that the objective is compiled once.
    begin = (jnp.asarray(tries) - 1, jnp.asarray(2.0, point.dtype), jnp.full_like(value, -jnp.inf))
    _, length, new_value = while_loop(too_low, halve, begin, point)
    better = new_value >= value
    return (
        jnp.where(better, at(length), point),
        jnp.where(better, new_value, value),
        length,
    )


def lbfgs(
    objective: Objective,
    start: jax.Array,
    max_steps: jax.Array | int,
    limit: jax.Array | float = jnp.inf,
) -> jax.Array:
    """Limited-memory BFGS with a zoom line search (optax); the best point seen is kept.

    Steps are projected into the limits.
    """
    import optax

    solver = optax.lbfgs()

    def negative(point: jax.Array) -> jax.Array:
        return -objective(point)

    value_and_grad = optax.value_and_grad_from_state(negative)
    eps = jnp.finfo(start.dtype).eps

    def go_on(carry: tuple) -> jax.Array:
        step, _, _, _, _, done = carry
        return (step < max_steps) & ~done

    def descend(carry: tuple) -> tuple:
        step, point, state, best, best_value, _ = carry
        value, gradient = value_and_grad(point, state=state)
        updates, state = solver.update(
            gradient, state, point, value=value, grad=gradient, value_fn=negative
        )
        new = jnp.clip(optax.apply_updates(point, updates), -limit, limit)
        new_value = _finite(objective(new))
        better = new_value > best_value
        gain = new_value - best_value
        done = ~(gain > eps * (1 + jnp.abs(best_value)))
        best = jnp.where(better, new, best)
        return step + 1, new, state, best, jnp.maximum(best_value, new_value), done

    carry = (0, start, solver.init(start), start, _finite(objective(start)), jnp.asarray(False))
    return while_loop(go_on, descend, carry, start)[3]


def _finite(value: jax.Array) -> jax.Array:
    return jnp.where(jnp.isfinite(value), value, -jnp.inf)
