"""`EM`: a model and how to fit it; ``run`` gives a `Fit`."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from .calls.arguments import refuse_aliases, split
from .calls.call import Call
from .classes.assignments import CATALOGUE as ASSIGNMENTS
from .classes.assignments import Assign, Schedule
from .classes.assignments.soft import Soft
from .climb.accelerations import CATALOGUE as ACCELERATIONS
from .climb.accelerations import Accelerate
from .climb.ascent import Ascent, Way
from .climb.search import climb_all
from .climb.starts import CATALOGUE as STARTS
from .climb.starts import Start
from .climb.status import FitError
from .machine.jit import quick
from .machine.surroundings import surrounded
from .options import as_key, chosen, flag, number, whole
from .options import model as check_model
from .plan.chunks import Rows
from .plan.program import Program
from .programs import prepare, program_for
from .report.fit import Fit, from_outcome, look_ahead
from .rows.checks import check
from .rows.given import check_params, check_responsibilities

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
            than 30, all take eight steps and the best three go on. ``"auto"`` is ten, and then
            tens of other kinds while that is cheap, until three have found the best there is.
        max_steps: the bound on EM steps.
        tolerance: stop when what is left of the climb, by Aitken's estimate, is below this many
            natural-log units of the total objective; the default is 1e-8. A parameter is then
            about ``sqrt(2 * tolerance)`` of its standard error from the optimum. Where rounding
            is coarser (float32, many rows), rounding decides.
        accelerate: ``"auto"`` takes EM's own steps first, and goes on by quasi-Newton steps where
            these crawl: the same optimum in a fraction of the steps. None is EM throughout,
            ``"quasi-newton"``, ``"squarem"`` or a value, an `Accelerate`
            (`mixpyro.em.climb.accelerations`), are accelerated from the start; for soft assignment.
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
        num_restarts: int | str = "auto",
        max_steps: int = 10_000,
        tolerance: float = 1e-8,
        accelerate: str | Accelerate | None = "auto",
        throw: bool = False,
        progress_bar: bool = False,
    ) -> None:
        check_model(model)
        if not isinstance(objective, str) or objective not in ("likelihood", "posterior"):
            raise ValueError(
                f"objective {objective!r} is not available; use 'likelihood' or 'posterior'"
            )
        self.search = isinstance(num_restarts, str) and num_restarts == "auto"
        starts = _STARTS if isinstance(num_restarts, str) and self.search else num_restarts
        whole("num_restarts", starts)
        whole("max_steps", max_steps)
        number("tolerance", tolerance, least=0)
        flag("throw", throw)
        flag("progress_bar", progress_bar)
        self.model = model
        self.objective = objective
        self.assign: Assign = chosen("assign", assign, ASSIGNMENTS, Assign)
        smooth = isinstance(self.assign, Soft)
        self.plain_first = isinstance(accelerate, str) and accelerate == "auto"
        if self.plain_first:
            accelerate = "quasi-newton" if smooth else None
        self.accelerate: Accelerate | None = None
        if accelerate is not None:
            self.accelerate = chosen("accelerate", accelerate, ACCELERATIONS, Accelerate)
        if self.accelerate is not None and not smooth:
            raise ValueError("accelerate needs assign='soft': other climbs are not smooth")
        self.start: Start = chosen("start", start, STARTS, Start)
        self.num_restarts = int(starts)
        self.max_steps = max_steps
        self.tolerance = tolerance
        self.throw = throw
        self.progress_bar = progress_bar

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
        **kwargs: Any,
    ) -> Fit:
        """Fit the model to the data that it is called with, ``model(*args, **kwargs)``.

        Args:
            rng_key: a JAX key, or its seed; it only decides the starts.
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
        with ThreadPoolExecutor(1) as pool:
            started = self._start(pool, rng_key, args, kwargs, init_params, init_responsibilities)
        return self._finish(started)

    def run_each(
        self, rng_key: jax.Array | int, calls: Iterable[tuple[tuple, dict]]
    ) -> Iterator[Fit]:
        """The fits of several calls ``(args, kwargs)``: while one compiles, the next is read."""
        number = os.cpu_count() or 1
        with ThreadPoolExecutor(number) as pool:
            ahead: deque[Started] = deque()
            for args, kwargs in calls:
                ahead.append(self._start(pool, rng_key, args, kwargs, patient=False))
                if len(ahead) > 2 * number:
                    yield self._finish(ahead.popleft())
            while ahead:
                yield self._finish(ahead.popleft())

    @surrounded
    def _start(
        self,
        pool: Executor,
        rng_key: jax.Array | int,
        args: tuple,
        kwargs: dict[str, Any],
        init_params: Mapping[str, Any] | None = None,
        init_responsibilities: Any = None,
        patient: bool = True,
    ) -> Started:
        """A run up to its climbs: the pool compiles them."""
        rng_key = as_key(rng_key)
        refuse_aliases(self.model, kwargs)
        call = split(args, kwargs, self.model)
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
        ascent = self.ascent(program, rows, rng_key, found, given)
        ascent = replace(ascent, way=replace(ascent.way, patient=patient))
        compiling = ascent.prepare(pool)
        size = sum(p.size for p in program.structure.free)
        if compiling is not None and not compiling.done() and quick(program, 2 * size):
            look_ahead(program, rows)
        return Started(call, found, ascent)

    def ascent(
        self,
        program: Program,
        rows: Rows,
        rng_key: jax.Array,
        found: Mapping[str, Any],
        given: Any = None,
    ) -> Ascent:
        """The climbs of rows that are read already; ``found`` is what the checks saw of them."""
        alone = given is not None and not self._partial(program, given)
        alone = alone or bool(found.get("known", False)) or program.num_components == 1
        number = self.num_restarts if self.start.chance and not alone else 1
        total = float(np.asarray(rows.weights, float).sum())
        return Ascent(program, rows, self._way(), rng_key, number, given, total)

    def _way(self) -> Way:
        return Way(
            self.assign,
            self.start,
            self.accelerate,
            self.max_steps,
            self.tolerance,
            self.progress_bar,
            self.plain_first and self.accelerate is not None,
            self.search and not isinstance(self.assign, Schedule),
        )

    @surrounded
    def _finish(self, started: Started) -> Fit:
        ascent = started.ascent
        outcome, restarts = climb_all(ascent)
        fit = from_outcome(
            ascent.program,
            started.call,
            ascent.rows,
            started.found,
            outcome,
            restarts,
            self.assign.hard,
        )
        if self.throw and not fit.status.ok:
            raise FitError(fit.message)
        return fit

    def _partial(self, program: Program, given: Any) -> bool:
        return isinstance(given, dict) and set(given) != {p.name for p in program.structure.free}


class Started(NamedTuple):
    """A run that has everything but its climbs; ``found`` is what the checks saw of the data."""

    call: Call
    found: dict[str, Any]
    ascent: Ascent
