"""`EM`: a model and how to fit it; ``run`` gives a `Fit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .calls.arguments import split
from .classes.assignments import CATALOGUE as ASSIGNMENTS
from .classes.assignments import Assign, Schedule, at
from .classes.assignments.soft import Soft
from .climb import corners, engine
from .climb.accelerations import CATALOGUE as ACCELERATIONS
from .climb.accelerations import Accelerate
from .climb.first_guess import first_guess
from .climb.loop import climb
from .climb.selection import Restarts, select
from .climb.starting import begin
from .climb.starts import CATALOGUE as STARTS
from .climb.starts import Start
from .climb.state import Outcome, Settings
from .climb.status import FitError, Status
from .machine.arrays import array as as_jax
from .machine.garbage import collected_seldom
from .machine.jit import loop_jit, quick_jit
from .machine.progress import Progress
from .options import as_key, chosen, positive
from .plan.chunks import Rows
from .plan.program import Params, Program
from .programs import prepare, program_for
from .report.fit import Fit, from_outcome
from .rows.checks import check
from .rows.given import check_params, check_responsibilities
from .step.expectation import Expectation, statistics_of
from .step.maximisation import FIRST_STEPS, m_step
from .step.objective import evaluate

# Steps of all starts together that cost more multiplications than this are worth saving.
_COSTLY = 1e6
_SHORT_TOLERANCE = 0.5
# More starts than this take so many steps, and only so many of them go on.
_MANY, _SHORT_STEPS, _FINALISTS = 30, 8, 3


class EM:
    """Maximum likelihood for a NumPyro model with finite discrete latents, by EM.

    Dempster, Laird & Rubin (1977, JRSS-B 39:1). The model is read, not rewritten: see
    ``print(fit.spec)`` for what was understood.

    Args:
        model: a NumPyro model with an explicit discrete z; handlers around it keep their meaning.
        objective: ``"likelihood"`` (priors are ignored) or ``"posterior"``: the priors in the model
            are added, and the fit is the mode of the posterior density in the model's own
            coordinates (another parametrisation has another mode). The information and standard
            errors are then those of the log posterior. Priors that are conjugate leave an M-step
            in closed form (``print(fit.spec)``); their parameters may be sites too.
        assign: ``"soft"`` (EM), ``"hard"`` (classification EM), ``"stochastic"`` (classes are drawn
            at first), ``"annealed"`` (responsibilities are tempered at first), or a value: an
            `Assign`, `em.Stochastic(...)` or `em.Annealed(...)`. The last two end as soft EM.
        start: ``"kmeans++"``, ``"random"`` responsibilities, or ``"quantile"`` groups, or a value:
            a `Start` (`mixpyro.em.climb.starts`). With regressions every other k-means++ start is
            random: crossing lines are no clusters.
        num_restarts: how many starts climb at once; the best sound one is kept. With many rows
            the others stop once they are within 0.5 of their end, by the same estimate; of more
            than 30, all take eight steps and the best three go on.
        max_steps: the bound on EM steps.
        tolerance: stop when what is left of the climb, by Aitken's estimate, is below this many
            natural-log units of the total objective; the default is 1e-8. A parameter is then
            about ``sqrt(2 * tolerance)`` of its standard error from the optimum. Where rounding
            is coarser (float32, many rows), rounding decides.
        accelerate: None, ``"quasi-newton"`` or ``"squarem"``, or a value: an `Accelerate`
            (`mixpyro.em.climb.accelerations`). For soft assignment: the same optimum in a fraction
            of the steps where EM crawls.
        throw: raise `FitError` unless the status is ok.
        progress_bar: show the steps as they go.

    Raises:
        ValueError: an unknown option.
    """

    def __init__(
        self,
        model: Callable,
        *,
        objective: str = "likelihood",
        assign: str | Assign = "soft",
        start: str | Start = "kmeans++",
        num_restarts: int = 10,
        max_steps: int = 10_000,
        tolerance: float = 1e-8,
        accelerate: str | Accelerate | None = None,
        throw: bool = False,
        progress_bar: bool = False,
    ) -> None:
        if not callable(model):
            raise ValueError(f"model must be a NumPyro model (a callable), not {model!r}")
        if objective not in ("likelihood", "posterior"):
            raise ValueError(
                f"objective {objective!r} is not available; use 'likelihood' or 'posterior'"
            )
        positive("num_restarts", num_restarts)
        positive("max_steps", max_steps)
        if not (isinstance(tolerance, int | float) and tolerance >= 0 and np.isfinite(tolerance)):
            raise ValueError(f"tolerance must be a number >= 0, not {tolerance!r}")
        self.model = model
        self.objective = objective
        self.assign: Assign = chosen("assign", assign, ASSIGNMENTS, Assign)
        self.accelerate: Accelerate | None = None
        if accelerate is not None:
            self.accelerate = chosen("accelerate", accelerate, ACCELERATIONS, Accelerate)
        if self.accelerate is not None and not isinstance(self.assign, Soft):
            raise ValueError("accelerate needs assign='soft': other climbs are not smooth")
        self.start: Start = chosen("start", start, STARTS, Start)
        self.num_restarts = num_restarts
        self.max_steps = max_steps
        self.tolerance = tolerance
        self.throw = throw
        self.progress_bar = progress_bar

    @collected_seldom
    def run(
        self,
        rng_key: jax.Array,
        *args: Any,
        init_params: Mapping[str, Any] | None = None,
        init_responsibilities: Any = None,
        **kwargs: Any,
    ) -> Fit:
        """Fit the model to the data that it is called with, ``model(*args, **kwargs)``.

        Args:
            rng_key: a JAX key; it only decides the starts.
            args: the model's positional arguments; arrays are data, the rest is static.
            init_params: {site: value} to start from; a pytree whole, or by its leaves as
                `Fit.leaves` names them. Sites that are left out start from the M-step of the
                usual start.
            init_responsibilities: (n, k) to start from instead.
            kwargs: the model's keyword arguments.

        Raises:
            ValueError: a model or data that cannot be fitted; the message names the site.
            FitError: the fit is not ok and ``throw`` was asked for.
        """
        rng_key = as_key(rng_key)
        call = split(args, kwargs)
        program = program_for(self.model, call, self.objective == "posterior")
        rows, found = prepare(program, call.arrays)
        check(program, call.arrays, found)
        if init_params is not None and init_responsibilities is not None:
            raise ValueError("give init_params or init_responsibilities, not both")
        given: Any = None
        if init_params is not None:
            given = check_params(program, init_params, call.arrays)
        elif init_responsibilities is not None:
            given = check_responsibilities(program, init_responsibilities)
        alone = given is not None and not self._partial(program, given)
        alone = alone or bool(found.get("known", False)) or program.num_components == 1
        number = self.num_restarts if self.start.chance and not alone else 1
        with Progress(self.max_steps, self.progress_bar) as progress:
            climb_from = partial(self._climb, program, rows, progress.number)
            total = float(found["total"])
            outcome, restarts = self._best(
                program, rows, climb_from, (rng_key, number), given, total
            )
        fit = from_outcome(program, call, rows, found, outcome, restarts, self.assign.hard)
        if self.throw and not fit.status.ok:
            raise FitError(fit.message)
        return fit

    def _partial(self, program: Program, given: Any) -> bool:
        return isinstance(given, dict) and set(given) != {p.name for p in program.structure.free}

    def _best(
        self,
        program: Program,
        rows: Rows,
        climb_from: Callable[..., Outcome],
        of_key: tuple[jax.Array, int],
        given: Any,
        total: float,
    ) -> tuple[Outcome, Restarts]:
        """Climb from every start; the outcomes, and which of them the user gets.

        Where a step is dear, all starts climb until the rest is negligible for telling them
        apart, and the best of them to the end; of more than a few dozen, all take a few steps and
        the best few go on (Biernacki, Celeux & Govaert 2003, Computational Statistics & Data
        Analysis 41:561).
        """
        key, number = of_key
        costly = number > 1 and not self.assign.hard and program.work * number > _COSTLY
        many = costly and number > _MANY and not isinstance(self.assign, Schedule)
        tolerance = max(self.tolerance, _SHORT_TOLERANCE) if costly else self.tolerance
        limit = min(_SHORT_STEPS, self.max_steps) if many else self.max_steps
        # Once a schedule has run, what is left is soft EM.
        assign = Soft() if isinstance(self.assign, Schedule) else self.assign

        def climb_on(outcome: Outcome, start: int, params: Params) -> tuple[Outcome, Restarts]:
            rest = climb_from((key, 1), params, self.tolerance, self.max_steps, assign)
            taken = outcome.continued(start, jax.tree.map(np.asarray, rest))
            return taken, select(program, taken, rows, total)

        climbed = climb_from(of_key, given, tolerance, limit)
        outcome = jax.tree.map(np.asarray, climbed)
        restarts = select(program, outcome, rows, total)
        ahead = list(restarts.ranking[:_FINALISTS]) if many else []
        finished = set() if costly else set(range(number))
        while ahead or restarts.chosen not in finished:
            best = ahead.pop(0) if ahead else restarts.chosen
            finished.add(best)
            short = restarts.status[best] == Status.MAX_STEPS and outcome.steps[best] == limit
            if restarts.status[best] != Status.CONVERGED and not (many and short):
                if ahead:
                    continue
                break
            params = {n: as_jax(v[best]) for n, v in outcome.params.items()}
            outcome, restarts = climb_on(outcome, best, params)
        return corners.leave(program, rows, assign, self.tolerance, (outcome, restarts), climb_on)

    def _climb(
        self,
        program: Program,
        rows: Rows,
        run: int,
        of_key: tuple[jax.Array, int],
        given: Any,
        tolerance: float,
        limit: int,
        assign: Assign | None = None,
    ) -> Outcome:
        assign = assign or self.assign
        kind = "none" if given is None else "params" if isinstance(given, dict) else "resp"
        rng_key, number = of_key
        rows = engine.given(program, rows)
        if given is not None and not isinstance(given, dict):
            given = jnp.pad(given, [(0, rows.num_units - len(given)), (0, 0)], mode="edge")
        start = partial(_begin, program, assign, self.start, number)
        key = ("start", assign, self.start, kind, number)
        compiled = engine.compiled(program, key, lambda: quick_jit(program, start))
        params, expected, keys = compiled(rows, rng_key, given)
        report = Progress.report if self.progress_bar else None
        settings = Settings(assign, self.max_steps, report, self.accelerate)
        climb_all = partial(climb, program, settings)
        name = ("climb", settings)
        compiled = engine.compiled(program, name, lambda: loop_jit(program, climb_all))
        bound = np.asarray(tolerance, rows.weights.dtype)
        return jax.block_until_ready(compiled(rows, params, expected, bound, limit, keys, run))


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
