"""Where a climb is, and where climbs ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from ..classes.assignments import Assign
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
