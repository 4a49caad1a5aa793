"""Squared extrapolation of EM's steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ._acceleration import Here, Proposal

_GROWTH = 4.0


class _Cycle(NamedTuple):
    phase: jax.Array
    first: Here
    length: jax.Array
    bound: jax.Array


@dataclass(frozen=True)
class Squarem:
    """Squared extrapolation, the S3 scheme of Varadhan & Roland (2008).

    Scandinavian Journal of Statistics 35:335. From two steps of EM, ``r = F(u) - u`` and
    ``v = F(F(u)) - 2 F(u) + u``, it goes to ``u + 2 a r + a^2 v`` with ``a = |r| / |v|``, and then
    takes one step of EM. ``a = 1`` is EM's own second step. The bound on ``a`` begins there, grows
    fourfold each time it is met, and shrinks when a proposal fails.
    """

    name = "squarem"

    def start(self, zeros: jax.Array) -> _Cycle:
        """At the first of the three steps."""
        here = Here(zeros, zeros, zeros, jnp.asarray(False))
        one = jnp.ones((), zeros.dtype)
        return _Cycle(jnp.zeros((), int), here, one, one)

    def propose(self, memory: _Cycle, here: Here) -> tuple[Proposal, _Cycle]:
        """EM's own step, the extrapolation, EM's own step."""
        phase, length, bound = memory.phase, memory.length, memory.bound
        judged = phase == 2
        raised = jnp.where(length >= bound, _GROWTH * bound, bound)
        lowered = jnp.maximum(length / _GROWTH, 1)
        bound = jnp.where(judged, jnp.where(here.moved, raised, lowered), bound)
        first = jax.tree.map(lambda a, b: jnp.where(phase == 0, a, b), here, memory.first)
        bend = here.step - first.step
        square = bend @ bend
        wanted = jnp.sqrt(first.step @ first.step / jnp.where(square > 0, square, 1))
        wanted = jnp.where(square > 0, jnp.maximum(wanted, 1), 1)
        length = jnp.where(phase == 1, jnp.minimum(wanted, bound), length)
        target = first.point + 2 * length * first.step + length**2 * bend
        plain = (phase != 1) | (length <= 1)
        step = jnp.where(plain, here.step, target - here.point)
        slope = here.gradient @ step
        rest = jnp.where(plain | ~(slope > 0), jnp.inf, slope / 2)
        full = plain | (wanted <= bound)
        return Proposal(step, plain, rest, full), _Cycle((phase + 1) % 3, first, length, bound)
