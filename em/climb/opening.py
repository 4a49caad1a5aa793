"""Climbs that may begin: what is compiled for their plan, and where each begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from ..classes.assignments import Assign
from ..machine.arrays import array as as_jax
from ..machine.by_numpy.interpret import interpreted
from ..machine.jit import PATIENT, apart, climbing_jit, loop_jit, quick_jit
from ..machine.shards import Shards, over_processes
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..step.expectation import Expectation
from ..step.maximisation import FIRST_STEPS
from . import engine
from .accelerations import Accelerate
from .coordinates import coordinates
from .loop import leg
from .outset import all_starts
from .starts import Start
from .state import Course, Settings

# More starts are compiled as a loop.
_FEW = 30


@dataclass(frozen=True)
class Way:
    """How to climb: see `mixpyro.em.EM`.

    ``plain_first``: by EM's own steps, accelerated only where these crawl; ``search``: with more
    starts while it is in doubt which optimum is the best (see `search`); ``moves``: from where a
    climb ended to better parameters, if there are; NumPy may begin steps of less than ``patient``.
    """

    assign: Assign
    start: Start
    accelerate: Accelerate | None
    max_steps: int
    tolerance: float
    progress_bar: bool = False
    plain_first: bool = False
    search: bool = False
    moves: Callable[[Params], Params | None] | None = None
    patient: float = PATIENT


class Opening(NamedTuple):
    """r climbs before their first step; ``memory`` is what an accelerator remembers then."""

    compiled: Any
    settings: Settings
    rows: Rows
    params: Params
    expected: Expectation
    keys: jax.Array
    memory: Any
    shards: Shards | None = None

    @property
    def several(self) -> bool:
        """Whether other processes have rows too."""
        return over_processes(self.shards)

    @property
    def course(self) -> Course:
        """Where they begin."""
        course = Course.begun(self.settings, self.params, self.expected, self.memory)
        return self.laid(course)

    def laid(self, course: Course) -> Course:
        """A course where its rows are."""
        if self.shards is None:
            return course
        there: Course = jax.tree.map(self.shards.put, course, course.places(self.shards))
        return there

    def arguments(self, tolerance: float, run: int, course: Course, limit: int) -> tuple:
        """Those of what is compiled."""
        bound = np.asarray(tolerance, self.rows.weights.dtype)
        return (self.rows, course, bound, limit, self.keys, run)


def opened(
    program: Program,
    rows: Rows,
    settings: Settings,
    where: tuple[Start, jax.Array, int, Any],
    patient: float,
) -> Opening:
    """Climbs from ``where``: a start, its key, how often, and what is given instead.

    NumPy may begin steps of fewer multiplications than ``patient``.
    """
    start, rng_key, number, given = where
    assign, accelerate = settings.assign, settings.accelerate
    rows = engine.given(program, rows)
    if given is not None and not isinstance(given, dict):
        given = jax.tree.map(partial(_filled, program, rows.num_units), given)
    key = ("start", assign, start, type(given), number)
    begin = partial(all_starts, program, assign, start, number)
    # A start takes a pass over the rows or two; numeric M-steps take many steps of their own, if
    # only some parameters are given.
    inner = FIRST_STEPS if isinstance(given, dict) else 1
    # Many starts are a loop themselves.
    starting = partial(quick_jit, times=number * inner) if number <= _FEW else loop_jit
    begun = engine.compiled(program, key, lambda: starting(program, begin))
    climb = partial(leg, program, settings)
    # Progress is shown by a callback from within the loop, which NumPy does not know.
    light = settings.progress is None and program.work < patient
    jit = climbing_jit if light else loop_jit
    name = ("climb", settings, jit, apart(program))
    compiled = engine.compiled(program, name, lambda: jit(program, climb))
    params, expected, keys = begun(rows, rng_key, given)
    memory = None
    if accelerate is not None:
        first = partial(_memory, program, accelerate, params, rows)
        memory = engine.compiled(program, ("memory", accelerate, number), first)
    return Opening(compiled, settings, rows, params, expected, keys, memory, program.shards)


def _filled(program: Program, number: int, array: Any) -> jax.Array:
    """Values (n, k) of the units with those of what fills them up."""
    return as_jax(engine.filled_up(program, number, np.asarray(array).T).T)


def _memory(program: Program, accelerate: Accelerate, params: Params, rows: Rows) -> Any:
    """(r, ...) what an accelerator remembers before the first step of each climb."""

    def first(params: Params) -> jax.Array:
        return jax.vmap(lambda p: coordinates(program, p, rows).vector)(params)

    size = jax.eval_shape(first, params)
    zeros = np.zeros(size.shape, size.dtype)
    return jax.tree.map(np.asarray, interpreted(jax.vmap(accelerate.start))(zeros))
