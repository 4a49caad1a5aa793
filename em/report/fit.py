"""`Fit`: what a run returns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..calls.call import Call
from ..climb.selection import Restarts
from ..climb.state import Outcome
from ..climb.status import Status
from ..machine.arrays import array as as_jax
from ..machine.jit import quick_jit
from ..plan.chunks import Rows
from ..plan.program import Program
from ..step import objective as objective_of
from . import information, storage
from . import summary as tables
from .result import Result
from .scores import gram

if TYPE_CHECKING:
    import pandas as pd


class Fit(Result):
    """A fitted mixture.

    Attributes:
        leaves: {parameter: value}, constrained, as `params`, but each leaf of a pytree by itself:
            ``nn['w']`` of ``numpyro.param("nn", {"w": ...})``. Tables and errors name these.
        log_likelihood: ``sum_n w_n log p(x_n | params)``, natural log; where labels are known,
            ``log p(x_n, z_n | params)``.
        objective: what EM climbed: the log-likelihood, or for hard assignment the
            classification log-likelihood; plus the log prior for ``objective="posterior"``.
        trace: (num_steps,) the objective after each step.
        num_steps: EM steps of the chosen start.
        counts: (k,) the weighted number of rows of each component.
        labels: (n,) the components that hard assignment gave; None for soft EM.
        total_weight: the sum of the row weights, the number of rows if there are none: of all
            rows where z is one for a group of them. Observations beside the rows count too.
    """

    def summary(
        self, level: float = 0.95, kind: str = "observed", interval: str = "wald"
    ) -> pd.DataFrame:
        """A table with one row an entry: estimate, standard error, interval, note.

        ``interval="wald"`` is on the log scale for positive parameters and on the logit scale for
        probabilities, so that it stays in the support; where an estimate is nearer to the edge
        than its standard error such an interval is far too wide, and the note says so.
        ``interval="profile"`` takes those entries for which twice the log-likelihood, maximised
        over all other parameters, is at most the chi-squared quantile lower than at the estimate
        (`profile_interval`): slower, but right near an edge. The note says why a standard error
        is missing. ``kind`` is that of `standard_errors`. Deterministic sites that depend on the
        parameters alone follow these, with errors and Wald intervals by the delta method.

        Raises:
            ValueError: an unknown kind of interval or error.
        """
        return tables.summary(self, level, kind, interval)

    def profile_interval(
        self, site: str, index: tuple[int, ...] = (), level: float = 0.95
    ) -> tuple[float, float]:
        """The profile-likelihood interval of one entry of a free parameter.

        ``{c : 2 (max log L - max log L(entry = c)) <= chi2 quantile}`` (Venzon & Moolgavkar 1988,
        Applied Statistics 37:87). An end is that of the support where the likelihood does not
        fall so far, and NaN where it was not found. For ``objective="posterior"`` the log
        posterior density takes the place of log L.

        Raises:
            ValueError: no such entry, or one without a standard error (see `summary`).
        """
        return tables.profile_interval(self, site, index, level)

    def __reduce__(self) -> tuple:
        """Pickles and copies hold the model, the data and the numbers; the rest is made anew."""
        return storage.restored, (type(self), *storage.parts(self))

    def save(self, path: str | Path) -> None:
        """Write the fit to one file (NumPy's ``.npz`` with JSON inside; see `em.load`)."""
        storage.save(self, path)


def look_ahead(program: Program, rows: Rows) -> None:
    """Trace what every fit is asked for afterwards, while its climb is compiled elsewhere."""
    params = {p.name: rows.prototype[p.name] for p in program.structure.free}
    objective_of.own_log_likelihood(program, params, rows)
    if information.cost(program) <= information.BUDGET:
        gram(program, params, rows)


def _labels(program: Program, labels: Any) -> Any:
    """The components of the rows, without what filled them up; of a chain in the shape of z."""
    own, structure = as_jax(labels[: program.num_rows]), program.structure
    return own if structure.chain is None else own.reshape(structure.natural(structure.latent))


def from_outcome(
    program: Program,
    call: Call,
    rows: Rows,
    found: Mapping[str, Any],
    outcome: Outcome,
    restarts: Restarts,
    hard: bool,
) -> Fit:
    """The fit of the chosen climb."""
    best = restarts.chosen
    free = {name: as_jax(value[best]) for name, value in outcome.params.items()}
    leaves = {
        p.name: free[p.name] if p.free else as_jax(found["fixed"][p.name])
        for p in program.structure.parameters
    }
    objective = float(outcome.objective[best])
    log_likelihood = objective
    if hard or program.posterior:
        of = partial(objective_of.log_likelihood, program)
        log_likelihood = float(
            program.compiled("likelihood", lambda: quick_jit(program, of))(free, rows)
        )
    status = Status(int(restarts.status[best]))
    if status.ok:
        own = objective_of.own_log_likelihood(program, free, rows)
        if not own.agrees(log_likelihood, np.dtype(rows.weights.dtype)):
            status = Status.MISREAD
    steps = int(outcome.steps[best])
    return Fit(
        program=program,
        call=call,
        rows=rows,
        leaves=leaves,
        log_likelihood=log_likelihood,
        objective=objective,
        trace=np.asarray(outcome.trace[best][:steps]),
        num_steps=steps,
        total_weight=float(found["observations"]) * program.repeats
        + sum(a.size for a in program.structure.auxiliary),
        counts=np.asarray(outcome.counts[best]),
        base_status=status,
        reseeded=int(outcome.reseeded[best]),
        restart_results=restarts,
        labels=None if outcome.labels is None else _labels(program, outcome.labels[best]),
    )
