"""All climbs of a run: from every start, the best of them to the end, and away from corners."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..classes.assignments import Assign, Schedule
from ..classes.assignments.soft import Soft
from ..machine.arrays import array as as_jax
from ..machine.interruption import Interruption
from ..machine.patience import Patient
from ..machine.progress import Progress
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from . import corners
from .accelerations import Accelerate
from .engine import stand_in
from .legs import climbed
from .opening import Opening, Way, opened
from .record.checkpoint import Checkpoint
from .selection import SAME, Restarts, one_peak, select
from .state import Outcome, Settings
from .status import Status
from .stopping import left

# Steps of all starts together that cost more multiplications than this are worth saving.
_COSTLY = 1e6
_SHORT_TOLERANCE = 0.5
# More starts than this take so many steps, and only so many of them go on.
_MANY, _SHORT_STEPS, _FINALISTS = 30, 5, 3
# Before it is accelerated a climb takes EM's own steps for so many multiplications: at least the
# first number of them, at most the second, and if others have climbed before at most the third.
_PLAIN, _PLAIN_STEPS = 5e8, (50, 1000, 150)
_ENDS, _END_STEPS = 5e9, 100  # climbs go on accelerated for so much, of so many steps each
# A climb that single precision ended is accelerated if more than this is left of it. Estimates of
# that may be short by some factor; to end higher than another climb is to end so much higher.
_LEFT, _DOUBT, _MORE = 1e-3, 5, 1e-2
# So often a climb goes on from moves that its way has, at most.
_MOVES = 20


@dataclass(frozen=True)
class Ascent:
    """The climbs of one run, ``number`` of them, from starts or from what is ``given``.

    ``total`` is the sum of the row weights, ``bar`` an objective that other climbs have reached:
    what cannot come out above it need not go on. `prepare` compiles ahead, elsewhere; `outcome`
    climbs, until ``stop`` is asked for; what is in the ``checkpoint`` is not climbed again.
    """

    program: Program
    rows: Rows
    way: Way
    rng_key: jax.Array
    number: int
    given: Any
    total: float
    bar: float = -np.inf
    stop: Interruption = field(default_factory=Interruption)
    checkpoint: Checkpoint | None = None
    _ahead: list[Future] = field(default_factory=list)

    @property
    def costly(self) -> bool:
        """Whether steps of all starts cost so much that most of them are worth saving."""
        work = self.price * self.number
        return self.number > 1 and not self.way.assign.hard and work > _COSTLY

    @property
    def many(self) -> bool:
        """Whether all starts take a few steps, and the best of them go on."""
        return self.costly and self.number > _MANY and not isinstance(self.way.assign, Schedule)

    @property
    def first(self) -> tuple[float, int]:
        """Tolerance and bound on the steps of the climb from all starts."""
        tolerance, most = self.way.tolerance, self.way.max_steps
        tolerance = max(tolerance, _SHORT_TOLERANCE) if self.costly else tolerance
        if self.many:
            return tolerance, min(_SHORT_STEPS, most)
        if not self.way.plain_first:
            return tolerance, most
        least, *enough = _PLAIN_STEPS
        affordable = int(_PLAIN // max(self.price * self.number, 1))
        most = min(most, enough[int(np.isfinite(self.bar))])
        return tolerance, min(max(least, affordable), most)

    def kept(self, stop: Interruption, checkpoint: Checkpoint | None) -> Ascent:
        """The same climbs, which look at these; what was opened already is."""
        if checkpoint is not None:
            checkpoint.admit(self.program.needs_rows)
        new = self.otherwise(stop=stop, checkpoint=checkpoint)
        vars(new)["_first_opening"] = self._first_opening
        return new

    def otherwise(self, **changes: Any) -> Ascent:
        """The same rows, climbed in another way, from elsewhere: they are filled up once."""
        new = replace(self, **changes)
        vars(new)["at_work"] = self.at_work
        return new

    def prepare(self, pool: Executor) -> Future | None:
        """Trace the first climb, and compile it in the pool: XLA leaves other threads free.

        None where NumPy begins: there is nothing to wait for.
        """
        opening, (tolerance, limit) = self._first_opening, self.first
        if isinstance(opening.compiled, Patient):
            return None
        args = opening.arguments(tolerance, 0, opening.course, limit)
        self._ahead.append(pool.submit(opening.compiled.lower(*args).compile))
        return self._ahead[0]

    @cached_property
    def at_work(self) -> tuple[Program, Rows]:
        """The program and the rows that it climbs by (`engine.stand_in`)."""
        # A class that is drawn or given is each row's own, not its kind's.
        pool = isinstance(self.given, dict | None) and isinstance(self.way.assign, Soft)
        return stand_in(self.program, self.rows, pool)

    @property
    def price(self) -> float:
        """Multiplications that a step of one climb takes."""
        return self.at_work[0].price

    @cached_property
    def _first_opening(self) -> Opening:
        accelerate = None if self.way.plain_first else self.way.accelerate
        return self._open(self.number, self.given, self.way.assign, accelerate)

    def outcome(self) -> tuple[Outcome, Restarts]:
        """Climb from every start; the outcomes, and which of them the user gets.

        Where a step is dear, all starts climb until the rest is negligible for telling them
        apart, and the best of them to the end; of more than a few dozen, all take a few steps and
        the best few go on (Biernacki, Celeux & Govaert 2003, Computational Statistics & Data
        Analysis 41:561). Climbs by EM's own steps that crawl go on accelerated.
        """
        for future in self._ahead:
            future.result()
        with Progress(self.way.max_steps, self.way.progress_bar) as progress:
            return self._outcome(progress.number)

    def _outcome(self, run: int) -> tuple[Outcome, Restarts]:
        way = self.way
        # Once a schedule has run, what is left is soft EM.
        assign = Soft() if isinstance(way.assign, Schedule) else way.assign

        first: Callable[[], Opening] = partial(getattr, self, "_first_opening")

        def climb_on(outcome: Outcome, start: int, params: Params) -> tuple[Outcome, Restarts]:
            level = self._level_of(outcome.objective[start])
            goal = (way.tolerance, way.max_steps, run, level)
            rest = self._climbed(lambda: self._open(1, params, assign, way.accelerate), *goal)
            taken = outcome.continued(start, rest)
            return taken, self.selected(taken)

        (tolerance, limit), level = self.first, 0.0
        if self.single and not way.assign.hard:  # one step tells the size of the terms
            level = self._level_of(self._climbed(first, tolerance, 1, run).objective.max())
        outcome = self._climbed(first, tolerance, limit, run, level)
        restarts = self.selected(outcome)
        crawls, promising = self._crawling(outcome, restarts, limit)
        ahead = [int(i) for i in restarts.ranking if self.many or promising[i]]
        if self.costly:
            ahead = ahead[: _FINALISTS if self.many else self._affordable]
        short = outcome.steps.copy() == limit
        finished = set() if self.costly else set(np.flatnonzero(~crawls).tolist())
        slack = _SHORT_TOLERANCE if self.costly else 0.0
        enough = self.bar + one_peak(self.bar) if np.isfinite(self.bar) else -np.inf

        def wanted(start: int) -> bool:
            return start not in finished and restarts.objective[start] + slack > enough

        while (ahead or wanted(restarts.chosen)) and not self.stop.asked:
            best = ahead.pop(0) if ahead else restarts.chosen
            finished.add(best)
            status = restarts.status[best]
            unfinished = status == Status.MAX_STEPS and short[best] and limit < way.max_steps
            if status != Status.CONVERGED and not unfinished:
                if ahead:
                    continue
                break
            params = {n: as_jax(v[best]) for n, v in outcome.params.items()}
            outcome, restarts = climb_on(outcome, best, params)
        # Where steps are dear, one round of moves.
        for _ in range(1 if self.price > _COSTLY else _MOVES):
            if way.moves is None or restarts.status[restarts.chosen] != Status.CONVERGED:
                break
            better = way.moves({n: as_jax(v[restarts.chosen]) for n, v in outcome.params.items()})
            if better is None or self.stop.asked:
                break
            outcome, restarts = climb_on(outcome, restarts.chosen, better)
        found = outcome, restarts
        if self.stop.asked:
            return found
        return corners.leave(*self.at_work, assign, way.tolerance, found, climb_on)

    def selected(self, outcome: Outcome) -> Restarts:
        """Which of these climbs the user gets."""
        short = 2 * _SHORT_TOLERANCE if self.costly else self.single * SAME[32]
        return select(*self.at_work, outcome, self.total, short)

    def _crawling(
        self, outcome: Outcome, restarts: Restarts, limit: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(r,) which climbs by EM's own steps have not settled, and which may lead higher."""
        if not self.way.plain_first:
            none = np.zeros(len(outcome.steps), bool)
            return none, none
        short = (restarts.status == Status.MAX_STEPS) & (limit < self.way.max_steps)
        ended = restarts.status == Status.CONVERGED
        traces = zip(outcome.trace, outcome.steps, strict=True)
        eps = float(jnp.finfo(self.rows.weights.dtype).eps)
        noise = 100 * eps * (1 + np.sqrt(max(self.total, 0.0)))
        rest = np.array([left(np.asarray(trace[:steps]), noise) for trace, steps in traces])
        # Single precision may have ended a climb that crawls.
        crawls = short | (ended & self.single & (rest > max(_LEFT, self.way.tolerance)))
        # What cannot come out above a settled climb goes on only if it is chosen.
        settled = np.max(restarts.objective, where=ended & ~crawls, initial=self.bar)
        higher = restarts.objective + _DOUBT * rest > settled + _MORE
        # One that rounding left on a plateau may lead anywhere: it is one start lost.
        return crawls, crawls & higher & (short | np.isfinite(rest))

    @property
    def _affordable(self) -> int:
        """How many climbs may go on to their end one by one."""
        return max(_FINALISTS, int(_ENDS // (_END_STEPS * max(self.price, 1))))

    @property
    def single(self) -> bool:
        """Whether it climbs in single precision."""
        return bool(jnp.finfo(self.rows.weights.dtype).bits == 32)

    def _level_of(self, objective: Any) -> float:
        """A row's part of an objective but for its constant; 0 in double precision."""
        known = self.single and np.isfinite(objective) and self.total > 0
        return (float(objective) - float(self.rows.log_base)) / self.total if known else 0.0

    def _climbed(
        self,
        begin: Callable[[], Opening],
        tolerance: float,
        limit: int,
        run: int,
        level: float = 0.0,
    ) -> Outcome:
        """Where climbs end, as NumPy's arrays.

        With a ``level`` the objective is counted from that of all rows at it: in single precision
        a sum of large terms would hide what a step gains.
        """
        # What the checkpoint knows climbs by; JSON gives it back as it was.
        what = [float(tolerance), int(limit), level]
        known = None if self.checkpoint is None else self.checkpoint.recorded(what)
        if known is not None:
            self.stop.ready = True
            return known
        opening, base = begin(), 0.0
        if level:
            dtype = opening.rows.level.dtype
            rows = opening.rows._replace(level=as_jax(level, dtype), log_base=as_jax(0.0, dtype))
            base = float(rows.level) * self.total + float(self.rows.log_base)
            # Given parameters have an objective already, which the first step is to rise from.
            before = as_jax(np.asarray(opening.expected.objective, float) - base, dtype)
            expected = opening.expected._replace(objective=before)
            opening = opening._replace(rows=rows, expected=expected)
        Progress.count_from(run, base)
        course, work = opening.course, self.price * len(opening.keys)
        if self.checkpoint is not None:
            course = opening.laid(self.checkpoint.resumed(what, course))
        args = partial(opening.arguments, tolerance, run)
        found: Any = climbed(
            opening.compiled, args, course, limit, work, self.stop, self.checkpoint, opening.several
        )
        found = found._replace(
            objective=np.asarray(found.objective, float) + base,
            trace=np.asarray(found.trace, float) + base,
        )
        if self.checkpoint is not None and all(found.code != Status.INTERRUPTED):
            self.checkpoint.over(what, found)
        return found

    def _open(
        self, number: int, given: Any, assign: Assign, accelerate: Accelerate | None
    ) -> Opening:
        """Climbs from so many starts, or from what is given."""
        way = self.way
        report = Progress.report if way.progress_bar else None
        settings = Settings(assign, way.max_steps, report, accelerate)
        where = (way.start, self.rng_key, number, given)
        return opened(*self.at_work, settings, where, way.patient)
