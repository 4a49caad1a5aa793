"""Quasi-Newton acceleration: begins as EM, ends as Newton's method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ._acceleration import Here, Proposal

_SHORTEST = 1e-3
_SHRINK = 0.25
_HISTORY = 10


class _Pairs(NamedTuple):
    moves: jax.Array
    slopes: jax.Array
    steps: jax.Array
    used: jax.Array
    last: Here
    length: jax.Array
    begun: jax.Array
    curved: jax.Array


@dataclass(frozen=True)
class QuasiNewton:
    """Limited-memory BFGS with EM's own step in the place of the first inverse Hessian.

    Jamshidian & Jennrich (1997, JRSS-B 59:569), their QN2, in the two-loop form of Nocedal (1980,
    Mathematics of Computation 35:773). From the last moves ``s``, the changes ``y`` of the
    gradient (negative) and ``v`` of EM's step that they made, the inverse Hessian ``H`` is the BFGS
    update of a ``H_0`` of which only ``H_0 g = `` EM's step and ``H_0 y = v`` are needed. It begins
    as EM and ends as Newton's method; ``g' H g / 2`` is what is left of the climb.
    """

    name = "quasi-newton"

    def start(self, zeros: jax.Array) -> _Pairs:
        """No pairs."""
        table = jnp.zeros((min(_HISTORY, max(len(zeros), 1)), len(zeros)), zeros.dtype)
        none = jnp.asarray(False)
        here = Here(zeros, zeros, zeros, none)
        used = jnp.zeros(len(table), bool)
        return _Pairs(table, table, table, used, here, jnp.ones((), zeros.dtype), none, none)

    def propose(self, memory: _Pairs, here: Here) -> tuple[Proposal, _Pairs]:
        """``H g``, or a part of it if that was too long."""
        memory = self._learn(memory, here)
        step = _two_loops(memory, here)
        slope = here.gradient @ step
        # A model of the wrong curvature, or steps that failed all the way down: EM's own step.
        lost = ~(slope > 0) | (memory.length < _SHORTEST)
        plain = lost | ~memory.used.any()
        memory = memory._replace(
            used=memory.used & ~lost, length=jnp.where(lost, 1, memory.length), begun=~lost
        )
        rest = jnp.where(plain | ~memory.curved, jnp.inf, slope / 2)
        step = jnp.where(plain, here.step, memory.length * step)
        return Proposal(step, plain, rest, memory.length >= 1), memory

    def _learn(self, memory: _Pairs, here: Here) -> _Pairs:
        move = here.point - memory.last.point
        fall = memory.last.gradient - here.gradient
        curvature = move @ fall
        curved = curvature > 1e-10 * jnp.sqrt((move @ move) * (fall @ fall))
        keep = here.moved & memory.begun & curved

        def push(old: jax.Array, new: jax.Array) -> jax.Array:
            return jnp.where(keep, jnp.roll(old, -1, 0).at[-1].set(new), old)

        shorter = jnp.where(here.moved, 1, memory.length * _SHRINK)
        return _Pairs(
            push(memory.moves, move),
            push(memory.slopes, fall),
            push(memory.steps, memory.last.step - here.step),
            push(memory.used, jnp.asarray(True)),
            jax.tree.map(lambda new, old: jnp.where(here.moved, new, old), here, memory.last),
            shorter.astype(here.point.dtype),
            memory.begun,
            jnp.where(here.moved, keep, memory.curved),
        )


def _two_loops(memory: _Pairs, here: Here) -> jax.Array:
    pairs = (memory.moves, memory.slopes, memory.steps, memory.used)

    def down(carry: tuple, pair: tuple) -> tuple[tuple, jax.Array]:
        gradient, step = carry
        move, fall, change, used = pair
        share = jnp.where(used, move @ gradient / jnp.where(used, move @ fall, 1), 0)
        return (gradient - share * fall, step - share * change), share

    def up(step: jax.Array, pair: tuple) -> tuple[jax.Array, None]:
        (move, fall, _, used), share = pair
        other = jnp.where(used, fall @ step / jnp.where(used, move @ fall, 1), 0)
        return step + move * (share - other), None

    start = (here.gradient, here.step)
    (_, step), shares = jax.lax.scan(down, start, pairs, reverse=True)
    return jax.lax.scan(up, step, (pairs, shares))[0]
