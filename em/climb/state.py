"""Where a climb is, and where climbs ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from ..classes.assignments import Assign
from ..machine.shards import Shards
from ..plan.program import Params
from ..step.expectation import Expectation
from .accelerations import Accelerate
from .status import Status

RUNNING = -1


@dataclass(frozen=True)
class Settings:
    """What is compiled into a loop."""

    assign: Assign
    max_steps: int
    progress: Callable[[Any, Any, Any], None] | None = None
    accelerate: Accelerate | None = None


class State(NamedTuple):
    """Where a climb is: parameters, the E-step at them, and what the stopping rule remembers.

    ``flight`` is None without acceleration; ``reach`` is how much of a numeric M-step's step is
    taken where only the next pass can tell whether it rises, else None.
    """

    params: Params
    expected: Expectation
    gain: jax.Array
    steps: jax.Array
    code: jax.Array
    reseeded: jax.Array
    flight: Flight | None
    reach: jax.Array | None = None


class Flight(NamedTuple):
    """The objective's gradient here, whether the last proposal was taken, what is remembered."""

    slope: Params
    moved: jax.Array
    memory: Any


class Course(NamedTuple):
    """r climbs under way: where they are, ``trace`` (r, max_steps) so far, and how many steps."""

    state: State
    trace: jax.Array
    steps: jax.Array

    @classmethod
    def begun(
        cls, settings: Settings, params: Params, expected: Expectation, memory: Any
    ) -> Course:
        """Climbs that have taken no step; ``memory`` is what an accelerator remembers at first."""
        starts, dtype = expected.counts.shape[0], expected.counts.dtype
        host = not any(isinstance(v, jax.core.Tracer) for v in jax.tree.leaves((params, expected)))
        xp: Any = np if host else jnp  # JAX compiles a program for each kind of zeros
        zeros = xp.zeros((starts,), np.int32)
        infinite = xp.full((starts,), np.inf, dtype)
        flight = None
        if settings.accelerate is not None:
            flight = Flight(jax.tree.map(xp.zeros_like, params), zeros > 0, memory)
        state = State(params, expected, infinite, zeros, zeros + RUNNING, zeros, flight)
        trace = xp.full((starts, settings.max_steps), np.nan, dtype)
        return cls(state, trace, xp.zeros((), np.int32))

    def places(self, shards: Shards) -> Any:
        """Where each array lies: what is by row in parts, all else whole on every device."""

        def part(array: jax.Array) -> NamedSharding:
            return shards.along(array.ndim, -1)

        everywhere: Any = jax.tree.map(lambda _: shards.everywhere, self)
        by_row = {n: part(v) for n, v in self.state.expected.responsibilities.items()}
        expected = everywhere.state.expected._replace(responsibilities=by_row)
        return everywhere._replace(state=everywhere.state._replace(expected=expected))

    def ended(self, scales: jax.Array) -> Outcome:
        """The climbs as they are; those that would go on are RUNNING."""
        state = self.state
        return Outcome(
            params=state.params,
            objective=state.expected.objective,
            counts=state.expected.counts,
            relative_scale=scales,
            steps=state.steps,
            code=state.code,
            reseeded=state.reseeded,
            trace=self.trace,
            labels=state.expected.labels,
        )


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

    def stopped(self, status: Status, xp: Any = np) -> Outcome:
        """With those that would go on stopped as ``status``; ``xp`` is NumPy, or ``jax.numpy``."""
        code = xp.where(self.code == RUNNING, np.int32(status), self.code)
        return self._replace(code=code)

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
