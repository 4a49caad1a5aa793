"""`EM`: a model and how to fit it; ``run`` gives a `Fit`."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from .calls.arguments import split
from .calls.call import Call
from .calls.keywords import refuse_unknown
from .calls.streams import data_of
from .choices import choices
from .classes.assignments import Assign, Schedule
from .climb.accelerations import Accelerate
from .climb.ascent import Ascent
from .climb.opening import Way
from .climb.passes.stepwise import Stepwise
from .climb.record.checkpoint import Checkpoint
from .climb.search import climb_all
from .climb.selection import Restarts
from .climb.starts import Start
from .climb.state import Outcome
from .climb.status import FitError
from .identity import identity_of
from .in_double import fit_of
from .machine.interruption import Interruption
from .machine.jit import AMONG_MANY, NEVER, PATIENT, quick
from .machine.shards import over_processes
from .machine.surroundings import surrounded
from .options import as_key, flag, known_objective, no_options, number, whole
from .options import model as check_model
from .over_batches import run as run_batches
from .plan.chunks import Rows
from .plan.program import Program
from .programs import prepare, program_for
from .report.fit import Fit, look_ahead
from .rows.checks import check
from .rows.given import check_params, check_responsibilities
from .rows.streamed import total_of
from .started import Started

# How many starts there are, and at least if the default says how many.
_STARTS = 10


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
            than 30, all take five steps and the best three go on. ``"auto"`` is ten, and then
            tens of other kinds while that is cheap, until three have found the best there is: of
            data for which that is cheap it finds more than a hundred of one kind.
        max_steps: the bound on EM steps.
        tolerance: stop when what is left of the climb, by Aitken's estimate, is below this many
            natural-log units of the total objective; the default is 1e-8. A parameter is then
            about ``sqrt(2 * tolerance)`` of its standard error from the optimum. Where rounding
            is coarser (float32, many rows), rounding decides.
        accelerate: ``"auto"`` takes EM's own steps first, and goes on by quasi-Newton steps where
            these crawl: the same optimum in a fraction of the steps. None is EM throughout,
            ``"quasi-newton"``, ``"squarem"`` or a value, an `Accelerate`
            (`mixpyro.em.climb.accelerations`), are accelerated from the start; for soft assignment.
            `em.Stepwise(...)` is for `em.Batches`.
        throw: raise `FitError` unless the status is ok.
        progress_bar: show the steps as they go.

    Raises:
        ValueError: a value that is none.
        TypeError: an unknown option.
    """

    def __init__(
        self,
        model: Callable,
        *,
        objective: str = "likelihood",
        assign: str | Assign = "soft",
        start: str | Start = "kmeans++",
        num_restarts: int | str = "auto",
        max_steps: int = 10_000,
        tolerance: float = 1e-8,
        accelerate: str | Accelerate | Stepwise | None = "auto",
        throw: bool = False,
        progress_bar: bool = False,
        **unknown: Any,
    ) -> None:
        check_model(model)
        no_options("em.EM", unknown, list(EM.__init__.__kwdefaults__ or ()))
        known_objective(objective)
        self.search = isinstance(num_restarts, str) and num_restarts == "auto"
        starts = _STARTS if isinstance(num_restarts, str) and self.search else num_restarts
        whole("num_restarts", starts)
        whole("max_steps", max_steps)
        number("tolerance", tolerance, least=0)
        flag("throw", throw)
        flag("progress_bar", progress_bar)
        self.model, self.objective = model, objective
        found = choices(assign, start, accelerate)
        self.assign, self.start, self.accelerate = found.assign, found.start, found.accelerate
        self.plain_first, self.stepwise = found.plain_first, found.stepwise
        self.num_restarts = int(starts)
        self.max_steps = max_steps
        self.tolerance = tolerance
        self.throw, self.progress_bar = throw, progress_bar

    def __getattr__(self, name: str) -> Any:
        if name in ("fit", "fit_predict"):
            raise AttributeError(
                f"EM has no {name!r}: em.EM(model).run(rng_key, *args, **kwargs) fits the model to "
                "the data that it is called with and returns a Fit, which has predict()"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def run(
        self,
        rng_key: jax.Array | int,
        *args: Any,
        init_params: Mapping[str, Any] | None = None,
        init_responsibilities: Any = None,
        checkpoint: str | Path | None = None,
        checkpoint_every: float = 60.0,
        **kwargs: Any,
    ) -> Fit:
        """Fit the model to the data that it is called with, ``model(*args, **kwargs)``.

        Args:
            rng_key: a JAX key, or its seed; it only decides the starts.
            args: the model's positional arguments; arrays are data, the rest is static. `Batches`
                stand for arrays that are read batch by batch: starts climb on a sample of the
                rows, and the best of them on all rows, one pass a step.
            init_params: {site: value} to start from; a pytree whole, or by its leaves as
                `Fit.leaves` names them. Sites that are left out start from the M-step of the
                usual start.
            init_responsibilities: (n, k) to start from instead.
            checkpoint: a file for the state of the climbs, written whole or not at all. The same
                call goes on from it, and ends at the same parameters bit for bit as if it had
                never stopped (on one kind of machine); once it has ended it returns the same fit.
            checkpoint_every: how many seconds of climbing may be lost.
            kwargs: the model's keyword arguments.

        Ctrl-C (in the main thread; Jupyter's button too) ends the climbs: the best fit so far is
        returned, as INTERRUPTED. A second Ctrl-C raises, as does one before the first step.

        Raises:
            ValueError: a model or data that cannot be fitted, the message names the site; a
                checkpoint that is not whole, or of another model, other data or settings.
            FitError: the fit is not ok and ``throw`` was asked for.
            KeyboardInterrupt: Ctrl-C twice, or before the first step.
        """
        data, given = data_of(args, kwargs), (init_params, init_responsibilities)
        if data is not None:
            key = as_key(rng_key)
            fit = run_batches(self, data, key, *given, checkpoint, checkpoint_every)
            return self.checked(fit)
        if self.stepwise is not None:
            raise ValueError("em.Stepwise is for em.Batches; rows in memory take accelerate='auto'")
        call = self._call(args, kwargs)
        keeper = None
        if checkpoint is not None:
            identity = identity_of(self.model, vars(self), call, as_key(rng_key), given)
            keeper = Checkpoint(checkpoint, checkpoint_every, identity, over_processes(call.shards))
        with ThreadPoolExecutor(1) as pool:
            # NumPy's part would depend on where it was cut.
            patient = PATIENT if keeper is None else NEVER
            started = self._start(pool, rng_key, call, given, patient)
        with Interruption() as stop:
            ascent = started.ascent.kept(stop, keeper)
            return self.finish(started._replace(ascent=ascent))

    def run_each(
        self, rng_key: jax.Array | int, calls: Iterable[tuple[tuple, dict]], look: bool = True
    ) -> Iterator[Fit]:
        """The fits of several calls ``(args, kwargs)``: while one compiles, the next is read.

        Without ``look`` their statuses say how the climbs ended, and no more.
        """
        return map(self.finish, self.begin_each(rng_key, calls, look))

    def begin_each(
        self, rng_key: jax.Array | int, calls: Iterable[tuple[tuple, dict]], look: bool = True
    ) -> Iterator[Started]:
        """The same runs up to their climbs."""
        number = os.cpu_count() or 1
        with ThreadPoolExecutor(number) as pool:
            ahead: deque[Started] = deque()
            for args, kwargs in calls:
                call = self._call(args, kwargs)
                ahead.append(self._start(pool, rng_key, call, patient=AMONG_MANY, look=look))
                if len(ahead) > 2 * number:
                    yield ahead.popleft()
            yield from ahead

    def _call(self, args: tuple, kwargs: dict[str, Any]) -> Call:
        refuse_unknown(self.model, kwargs, EM.__init__)
        return split(args, kwargs, self.model)

    @surrounded
    def _start(
        self,
        pool: Executor,
        rng_key: jax.Array | int,
        call: Call,
        start: tuple[Mapping[str, Any] | None, Any] = (None, None),
        patient: float = PATIENT,
        look: bool = True,
    ) -> Started:
        """A run up to its climbs: the pool compiles them."""
        rng_key = as_key(rng_key)
        init_params, init_responsibilities = start
        program = program_for(self.model, call, self.objective == "posterior")
        if program.shards is not None and (self.assign.hard or init_responsibilities is not None):
            raise ValueError(
                "rows on several devices have no assign='hard' and no init_responsibilities: each "
                "row's own would be needed on all of them. Use soft EM, or init_params"
            )
        rows, found = prepare(program, call.arrays)
        check(program, call.arrays, found)
        if init_params is not None and init_responsibilities is not None:
            raise ValueError("give init_params or init_responsibilities, not both")
        given: Any = None
        if init_params is not None:
            given = check_params(program, init_params, call.arrays)
        elif init_responsibilities is not None:
            given = check_responsibilities(program, init_responsibilities)
        ascent = self.ascent(program, rows, rng_key, found, given, patient)
        compiling, size = ascent.prepare(pool), sum(p.size for p in program.structure.free)
        if look and compiling and not compiling.done() and quick(program, 2 * size):
            look_ahead(program, rows)
        return Started(call, found, ascent, look)

    def ascent(
        self,
        program: Program,
        rows: Rows,
        rng_key: jax.Array,
        found: Mapping[str, Any],
        given: Any = None,
        patient: float = PATIENT,
    ) -> Ascent:
        """The climbs of rows that are read already; ``found`` is what the checks saw of them."""
        free = {p.name for p in program.structure.free}
        whole = given is not None and not (isinstance(given, dict) and set(given) != free)
        alone = whole or bool(found.get("known", False)) or program.num_components == 1
        number = self.num_restarts if self.start.chance and not alone else 1
        total = total_of(rows) if program.shards is None else float(found["total"])
        way = replace(self._way(program), patient=NEVER if program.shards is not None else patient)
        return Ascent(program, rows, way, rng_key, number, given, total)

    def _way(self, program: Program) -> Way:
        shards = program.shards
        return Way(
            self.assign,
            self.start if shards is None else self.start.in_parts(shards.number),
            self.accelerate,
            self.max_steps,
            self.tolerance,
            self.progress_bar,
            self.plain_first and self.accelerate is not None,
            self.search and not isinstance(self.assign, Schedule) and shards is None,
        )

    @surrounded
    def finish(
        self, started: Started, climb: Callable[[Ascent], tuple[Outcome, Restarts]] = climb_all
    ) -> Fit:
        """The fit of a run, by such climbs."""
        outcome, restarts = climb(ascent := started.ascent)
        if ascent.checkpoint is not None:
            ascent.checkpoint.close()
        fit = fit_of(started.call, ascent, started.found, outcome, restarts, started.look)
        return self.checked(fit)

    def checked(self, fit: Fit) -> Fit:
        """The fit, if ``throw`` does not forbid it."""
        if self.throw and not fit.status.ok:
            raise FitError(fit.message)
        return fit
