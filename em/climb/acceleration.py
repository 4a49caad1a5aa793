"""Faster ways up than EM's own step: each a value given to the loop, one M- and E-step a proposal.

An accelerator looks at where EM is, in unconstrained coordinates, and proposes where to evaluate
next. The loop takes the proposal if the objective there is no lower than here, and else asks again
from here; the proposals shrink towards EM's own step, which never lowers it. So the trace is
monotone, and a step costs what a step of EM costs, plus the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from ..plan.blocks import CLOSED_FORMS
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from .boundary import BOUNDED, POSITIVE, inside

# No logarithm or logit moves farther at once.
_FARTHEST = 5.0
_SHORTEST = 1e-3
_SHRINK = 0.25
_GROWTH = 4.0
_HISTORY = 10
_UNITLESS = BOUNDED | POSITIVE | {"zerosum", "rotation"}


class Here(NamedTuple):
    """Where a climb is: ``point`` u (m,), EM's own ``step``, the objective's ``gradient``.

    ``moved`` says whether the last proposal was taken (else u is where it was before).
    """

    point: jax.Array
    step: jax.Array
    gradient: jax.Array
    moved: jax.Array


class Proposal(NamedTuple):
    """A ``step`` (m,) from here; if ``plain``, EM's own.

    ``rest`` is what is left of the climb if the accelerator's model of the objective is right,
    infinite where it has none; ``full`` whether the step goes all the way to that model's top.
    """

    step: jax.Array
    plain: jax.Array
    rest: jax.Array
    full: jax.Array


class Accelerate(Protocol):
    """Turns EM's steps into longer ones."""

    def start(self, zeros: jax.Array) -> Any:
        """What is remembered at the first point (m,): a pytree of arrays."""
        ...

    def propose(self, memory: Any, here: Here) -> tuple[Proposal, Any]:
        """Where to go, and what to remember."""
        ...


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


NAMES: dict[str, Accelerate] = {"squarem": Squarem(), "quasi-newton": QuasiNewton()}


class Leap(NamedTuple):
    """What the loop judges a proposal by: see `Proposal`."""

    plain: jax.Array
    rest: jax.Array
    full: jax.Array


def begin(program: Program, accelerate: Accelerate, params: Params, rows: Rows) -> Any:
    """What an accelerator remembers before the first step."""
    return accelerate.start(jnp.zeros_like(_Coordinates(program, params, rows).vector))


def leap(
    program: Program,
    accelerate: Accelerate,
    memory: Any,
    params: Params,
    image: Params,
    slope: Params,
    moved: jax.Array,
    rows: Rows,
) -> tuple[Params, Leap, Any]:
    """The parameters to try next, from ``params``, EM's ``image`` of them, and the gradient."""
    here, there = _Coordinates(program, params, rows), _Coordinates(program, image, rows)
    gradient = jax.vjp(here.back, here.vector)[1](slope)[0]
    finite = jnp.isfinite(here.vector) & jnp.isfinite(there.vector) & jnp.isfinite(gradient)
    usable = finite.all()
    step = jnp.where(usable, there.vector - here.vector, 0)
    proposal, memory = accelerate.propose(
        memory, Here(here.vector, step, jnp.where(usable, gradient, 0), moved)
    )
    reach = jnp.where(here.unitless, jnp.abs(proposal.step), 0).max(initial=0)
    far = reach > _FARTHEST
    target = here.vector + proposal.step * jnp.where(far, _FARTHEST / reach, 1)
    new = here.back(jnp.clip(target, -here.limit, here.limit))
    plain = proposal.plain | ~usable
    new = {n: jnp.where(plain, image[n], value) for n, value in new.items()}
    rest = jnp.where(plain | far, jnp.inf, proposal.rest)
    return new, Leap(plain, rest, proposal.full & ~far), memory


class _Coordinates:
    """Parameters as one unconstrained ``vector`` (m,), and the way ``back``.

    ``unitless`` (m,) marks logarithms and logits, ``limit`` how far they may go.
    """

    def __init__(self, program: Program, params: Params, rows: Rows) -> None:
        # A probability of exactly 0 has no logit; one of 1e-77 does, and makes no difference.
        tiny = float(jnp.finfo(rows.weights.dtype).tiny) ** 0.25
        params = inside(program, params, tiny)
        names = tuple(p.name for p in program.structure.free)
        values = program.unconstrain(params, rows.arrays, names)
        self.vector, unravel = ravel_pytree(values)
        self.back: Callable[[jax.Array], Params] = lambda vector: program.constrain(
            unravel(vector), params, rows.arrays
        )
        free = {p.name: p.constraint in _UNITLESS for p in program.structure.free}
        numeric = {n for b in program.blocks if b.rung not in CLOSED_FORMS for n in b.parameters}
        self.unitless = ravel_pytree({n: jnp.full(v.shape, free[n]) for n, v in values.items()})[0]
        self.limit = ravel_pytree(
            {
                n: jnp.full_like(v, program.limit(n, rows) if n in numeric else jnp.inf)
                for n, v in values.items()
            }
        )[0]
