"""All climbs of a run: from every start, the best of them to the end, and away from corners."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..classes.assignments import Assign, Schedule, at
from ..classes.assignments.soft import Soft
from ..machine.arrays import array as as_jax
from ..machine.jit import loop_jit, quick_jit
from ..machine.progress import Progress
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..step.expectation import Expectation, statistics_of
from ..step.maximisation import FIRST_STEPS, m_step
from ..step.objective import evaluate
from . import corners, engine
from .accelerations import Accelerate
from .first_guess import first_guess
from .loop import climb
from .selection import Restarts, select
from .starting import begin
from .starts import Start
from .state import Outcome, Settings
from .status import Status

# Steps of all starts together that cost more multiplications than this are worth saving.
_COSTLY = 1e6
_SHORT_TOLERANCE = 0.5
# More starts than this take so many steps, and only so many of them go on.
_MANY, _SHORT_STEPS, _FINALISTS = 30, 8, 3


@dataclass(frozen=True)
class Way:
    """How to climb: see `mixpyro.em.EM`."""

    assign: Assign
    start: Start
    accelerate: Accelerate | None
    max_steps: int
    tolerance: float
    progress_bar: bool = False


@dataclass(frozen=True)
class Ascent:
    """The climbs of one run, ``number`` of them, from starts or from what is ``given``.

    ``total`` is the sum of the row weights. `prepare` compiles ahead, elsewhere; `outcome` climbs.
    """

    program: Program
    rows: Rows
    way: Way
    rng_key: jax.Array
    number: int
    given: Any
    total: float
    _ahead: list[Future] = field(default_factory=list)

    @property
    def costly(self) -> bool:
        """Whether steps of all starts cost so much that most of them are worth saving."""
        work = self.program.work * self.number
        return self.number > 1 and not self.way.assign.hard and work > _COSTLY

    @property
    def many(self) -> bool:
        """Whether all starts take a few steps, and the best of them go on."""
        return self.costly and self.number > _MANY and not isinstance(self.way.assign, Schedule)

    @property
    def first(self) -> tuple[float, int]:
        """Tolerance and bound on the steps of the climb from all starts."""
        tolerance = self.way.tolerance
        return (
            max(tolerance, _SHORT_TOLERANCE) if self.costly else tolerance,
            min(_SHORT_STEPS, self.way.max_steps) if self.many else self.way.max_steps,
        )

    def prepare(self, pool: Executor) -> Future:
        """Trace the first climb, and compile it in the pool: XLA leaves other threads free."""
        compiled, args = self._climb(self.number, self.given, *self.first, self.way.assign, 0)
        self._ahead.append(pool.submit(compiled.lower(*args).compile))
        return self._ahead[0]

    def outcome(self) -> tuple[Outcome, Restarts]:
        """Climb from every start; the outcomes, and which of them the user gets.

        Where a step is dear, all starts climb until the rest is negligible for telling them
        apart, and the best of them to the end; of more than a few dozen, all take a few steps and
        the best few go on (Biernacki, Celeux & Govaert 2003, Computational Statistics & Data
        Analysis 41:561).
        """
        for future in self._ahead:
            future.result()
        with Progress(self.way.max_steps, self.way.progress_bar) as progress:
            return self._outcome(progress.number)

    def _outcome(self, run: int) -> tuple[Outcome, Restarts]:
        way, number = self.way, self.number
        # Once a schedule has run, what is left is soft EM.
        assign = Soft() if isinstance(way.assign, Schedule) else way.assign

        def climbed(number: int, given: Any, tolerance: float, limit: int, assign: Assign) -> Any:
            compiled, args = self._climb(number, given, tolerance, limit, assign, run)
            return jax.tree.map(np.asarray, jax.block_until_ready(compiled(*args)))

        def climb_on(outcome: Outcome, start: int, params: Params) -> tuple[Outcome, Restarts]:
            rest = climbed(1, params, way.tolerance, way.max_steps, assign)
            taken = outcome.continued(start, rest)
            return taken, select(self.program, taken, self.rows, self.total)

        tolerance, limit = self.first
        outcome = climbed(number, self.given, tolerance, limit, way.assign)
        restarts = select(self.program, outcome, self.rows, self.total)
        ahead = list(restarts.ranking[:_FINALISTS]) if self.many else []
        finished = set() if self.costly else set(range(number))
        while ahead or restarts.chosen not in finished:
            best = ahead.pop(0) if ahead else restarts.chosen
            finished.add(best)
            short = restarts.status[best] == Status.MAX_STEPS and outcome.steps[best] == limit
            if restarts.status[best] != Status.CONVERGED and not (self.many and short):
                if ahead:
                    continue
                break
            params = {n: as_jax(v[best]) for n, v in outcome.params.items()}
            outcome, restarts = climb_on(outcome, best, params)
        found = outcome, restarts
        return corners.leave(self.program, self.rows, assign, way.tolerance, found, climb_on)

    def _climb(
        self, number: int, given: Any, tolerance: float, limit: int, assign: Assign, run: int
    ) -> tuple[Any, tuple]:
        """A climb to be run: what compiles for its plan, and its arguments."""
        program, way = self.program, self.way
        kind = "none" if given is None else "params" if isinstance(given, dict) else "resp"
        rows = engine.given(program, self.rows)
        if given is not None and not isinstance(given, dict):
            given = jnp.pad(given, [(0, rows.num_units - len(given)), (0, 0)], mode="edge")
        key = ("start", assign, way.start, kind, number)
        start = partial(_begin, program, assign, way.start, number)
        # Numeric M-steps take many steps of their own, if only some parameters are given.
        inner = FIRST_STEPS if kind == "params" else 2 * program.num_components
        begun = engine.compiled(program, key, lambda: quick_jit(program, start, number * inner))
        params, expected, keys = begun(rows, self.rng_key, given)
        report = Progress.report if way.progress_bar else None
        settings = Settings(assign, way.max_steps, report, way.accelerate)
        climb_all = partial(climb, program, settings)
        name = ("climb", settings)
        compiled = engine.compiled(program, name, lambda: loop_jit(program, climb_all))
        bound = np.asarray(tolerance, rows.weights.dtype)
        return compiled, (rows, params, expected, bound, limit, keys, run)


def _begin(
    program: Program,
    assign: Assign,
    start: Start,
    number_of_starts: int,
    rows: Rows,
    rng_key: jax.Array,
    given: Any,
) -> tuple[Params, Expectation, jax.Array]:
    """Where climbs begin: (r, ...) parameters and statistics, and a key for each."""
    hard, free = assign.hard, {p.name for p in program.structure.free}
    keys = jax.random.split(rng_key, number_of_starts)
    fixed_start = {} if given is None or not isinstance(given, dict) else given

    def first(key: jax.Array) -> Assign:
        return at(assign, jnp.zeros((), int), key)

    def one(numbered: tuple[jax.Array, jax.Array]) -> tuple[Params, Expectation]:
        number, key = numbered
        if set(fixed_start) == free and fixed_start:
            return fixed_start, evaluate(program, first(key), fixed_start, rows)
        begun = begin(program, rows, start, hard, key, number)
        units = begun.units if given is None or isinstance(given, dict) else given
        expected = statistics_of(program, units, rows, hard, begun.given)
        jitter = jax.random.fold_in(key, 1)
        guess = first_guess(program, rows, expected, jitter, number)
        if not fixed_start:
            return guess, expected
        params = m_step(program, expected, guess, rows, FIRST_STEPS) | fixed_start
        return params, evaluate(program, first(key), params, rows)

    params, expected = jax.lax.map(one, (jnp.arange(number_of_starts), keys))
    return params, expected, keys
