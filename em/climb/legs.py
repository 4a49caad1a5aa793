"""A climb leg by leg: between two of them Python looks whether to stop, or to write it down."""

from __future__ import annotations

import time
from collections.abc import Callable

import jax
import numpy as np

from ..machine.interruption import Interruption
from ..machine.patience import Patient
from ..machine.together import agreed
from .record.checkpoint import Checkpoint
from .state import RUNNING, Course, Outcome
from .status import Status

# Seconds that a leg takes, about; multiplications of the first.
_SHORT, _LONG, _FIRST = 0.1, 0.4, 3e7
# Where NumPy climbs, legs have so many steps: what it hands over when must not hang on the clock.
_BY_NUMPY = 64
_MOST = 10_000


def climbed(
    compiled: Callable,
    arguments: Callable[[Course, int], tuple],
    course: Course,
    limit: int,
    work: float,
    stop: Interruption,
    checkpoint: Checkpoint | None = None,
    several: bool = False,
) -> Outcome:
    """Where climbs end that are at ``course``, as NumPy's arrays.

    ``compiled`` is a `loop.leg`, of ``arguments(course, limit)``; ``work`` is about how many
    multiplications a step of all climbs takes. One that is stopped is INTERRUPTED. Processes that
    have rows of a run take the same legs: whatever hangs on a clock or a key is ``agreed``.
    """
    limit = min(limit, course.trace.shape[1])
    length = int(np.clip(_FIRST // max(work, 1), 1, _MOST))
    longest = _LONG if checkpoint is None else min(_LONG, checkpoint.every)
    while True:
        by_numpy = isinstance(compiled, Patient) and not compiled.tired
        until = int(course.steps) + (_BY_NUMPY if by_numpy else length)
        began = time.perf_counter()
        course, scales = compiled(*arguments(course, min(until, limit)))
        code, steps = np.asarray(course.state.code), int(course.steps)
        seconds = time.perf_counter() - began
        stop.ready = True
        due = checkpoint is not None and checkpoint.due
        seconds, asked, write = agreed(several, (seconds, stop.asked, due))
        stop.asked = bool(asked)
        going = bool((code == RUNNING).any()) and steps < limit
        if checkpoint is not None and going and (write or asked):
            checkpoint.keep(course)
        if not going or asked:
            break
        if seconds > longest:
            length = max(length // 2, 1)
        elif seconds < min(_SHORT, longest / 2):
            length = min(2 * length, _MOST)
    found: Outcome = jax.tree.map(np.asarray, course.ended(scales))
    return found.stopped(Status.INTERRUPTED if going else Status.MAX_STEPS)
