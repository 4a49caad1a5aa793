"""`Fit`: what a run returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..calls.call import Call
from ..climb.selection import Restarts
from ..climb.state import Outcome
from ..climb.status import Status
from ..machine.arrays import array as as_jax
from ..options import flag
from ..plan.chunks import Rows
from ..plan.program import Program
from ..rows.streamed import Streamed
from ..step import objective as objective_of
from . import information, storage
from . import summary as tables
from .by_class import in_order, profiles
from .indices import classification_table, indices
from .items import bivariate_residuals
from .of_classes.names import named
from .precision import in_own_precision
from .result import Result
from .scores import gram, identified_by_some

if TYPE_CHECKING:
    import pandas as pd

    from ...plots import FitPlots


@in_own_precision(lambda fit: fit)
class Fit(Result):
    """A fitted mixture.

    It is asked in the precision that it was made in: one of ``with jax.enable_x64(True):`` stays in
    double precision outside of it, and no global flag is touched.

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
        labels: (n,) the components that hard assignment gave; None for soft EM, and of `Batches`,
            where `predict` has them.
        total_weight: the sum of the row weights, the number of rows if there are none: of all
            rows where z is one for a group of them. Observations beside the rows count too.
    """

    @property
    def plot(self) -> FitPlots:
        """Pictures: ``fit.plot.clusters()``, ``.density()``, ``.profiles()`` ... (`FitPlots`)."""
        from ...plots import FitPlots

        return FitPlots(self)

    def _repr_html_(self) -> str:
        table = self.summary().map(lambda v: f"{v:.5g}" if isinstance(v, float) else v)
        head = (
            f"log-likelihood {self.log_likelihood:.6g}, {self.num_free_params} free parameters, "
            f"AIC {self.aic:.6g}, BIC {self.bic:.6g}"
        )
        paragraphs = "".join(
            f"<p>{escape(words)}</p>" for words in (f"{self.status}: {self.message}", head)
        )
        return paragraphs + table.to_html(escape=True, na_rep="", max_rows=60)

    def summary(
        self,
        level: float = 0.95,
        kind: str = "observed",
        interval: str = "wald",
        *,
        tests: bool = False,
        exponentiate: bool = False,
        reference: int | str | None = None,
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

        ``tests`` adds ``z = estimate / standard_error`` and its two-sided ``p``, ``exponentiate``
        adds ``exp``, ``exp_lower``, ``exp_upper`` (odds ratios of logistic coefficients, rate
        ratios of log-linear ones), both for parameters on the real line.

        ``reference`` is for models with covariates of the classes, whose coefficients are log odds
        against one class: it gives them against another (its number or name), ``beta_j -
        beta_reference``, with the error of the difference from the joint covariance. Rows are
        ``class_coefficients[2 vs 0, age]``, of the other classes in their order.

        Raises:
            ValueError: an unknown kind of interval or error; no such class, no such coefficients,
                or ``reference`` with profile intervals.
        """
        flag("tests", tests)
        flag("exponentiate", exponentiate)
        table = tables.summary(self, level, kind, interval, reference)
        return tables.extended(self, table, tests, exponentiate)

    def indices(self) -> pd.Series:
        """Criteria and entropies by name: what tables of applied papers have, lower is better.

        With p free parameters, n the total weight, E the `entropy` and k classes: ``aic3 = -2 log L
        + 3 p`` (Bozdogan 1994), ``sabic = -2 log L + p log((n + 2) / 24)`` (Sclove 1987), ``caic =
        -2 log L + p (log n + 1)`` (Bozdogan 1987), ``clc = -2 log L + 2 E`` (Biernacki & Govaert
        1997), ``awe = clc + 2 p (3/2 + log n)`` (Banfield & Raftery 1993). ``relative_entropy = 1 -
        E / (n log k)`` is 1 where every row's class is certain (Ramaswamy et al. 1993). Those of E
        are of one latent class.
        """
        return indices(self)

    def classification_table(self) -> pd.DataFrame:
        """One row a class: rows assigned to it, and their mean posterior of every class.

        ``n`` is the weight of the rows whose most probable class it is, ``assigned`` their share,
        ``estimated`` the class's share by posterior probabilities; ``posterior[j]`` averages
        ``p(z = j | x)`` over the rows assigned (on the diagonal at least 0.8 or so, by a rule of
        thumb: Nagin 2005, *Group-Based Modeling of Development*, section 5.5 asks 0.7).

        Raises:
            ValueError: several latent classes.
        """
        return classification_table(self)

    def bivariate_residuals(self) -> pd.DataFrame:
        """One row a pair of items: what of their association the classes leave unexplained.

        ``residual = X^2 / df`` with ``X^2 = sum (O - E)^2 / E`` over the two-way table and ``df =
        (m_1 - 1) (m_2 - 1)`` (Vermunt & Magidson 2016, *Technical Guide for Latent GOLD 5.1*,
        section 8.4): about 1 or less where items are independent within a class; it has no exact
        law. Rows in which both entries are there count.

        Raises:
            ValueError: no latent class model of categories.
        """
        return bivariate_residuals(self)

    def profiles(self, level: float = 0.95, kind: str = "observed") -> pd.DataFrame:
        """Parameters by class, tidy: index (entry, class), with errors and Wald intervals.

        Of the parameters that have an axis of classes: the class leaves the index, ``probs[0, 8,
        3]`` is entry ``probs[8, 3]`` of class 0. ``.unstack()`` puts classes side by side. Level
        and kind are those of `summary`.

        Raises:
            ValueError: several latent classes.
        """
        return profiles(self, level, kind)

    def sorted(self, by: str | Sequence[int] = "size") -> Fit:
        """The same fit with its classes in another order, everywhere at once.

        ``by="size"`` puts the largest class first; an entry that `profiles` has (``"rate"``,
        ``"loc[width]"``) orders by its value, increasing; or a permutation says which class comes
        where.

        Raises:
            ValueError: several latent classes, or ones that cannot be renamed.
        """
        return in_order(self, by)

    def named(self, names: Sequence[str]) -> Fit:
        """The same fit with names of its classes, (k,), in their order.

        Tables, messages, pictures and DataTrees say ``probs[low, item A, yes]`` where they said
        ``probs[0, item A, yes]``; `sorted` keeps each class's name, files and pickles keep all.
        Arrays stay what they are: `predict` has numbers. ``fit.sorted("size").named(["low",
        "high"])`` first gives the classes an order.

        Raises:
            ValueError: no distinct words, one a class; several latent classes.
        """
        return named(self, names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called, by `named`; nothing where they have numbers alone."""
        return self.call.classes.names

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
    cheap = information.cost(program) <= information.BUDGET
    if cheap and identified_by_some(program, params, rows) is None:
        gram(program, params, rows)


def _labels(program: Program, labels: Any) -> Any:
    """The components of the rows, without what filled them up; of a chain in the shape of z."""
    structure = program.structure
    if program.grid is None:
        return as_jax(labels[: program.num_rows])
    return as_jax(program.grid.own(labels)).reshape(structure.natural(structure.latent))


def from_outcome(
    program: Program,
    call: Call,
    rows: Rows | Streamed,
    found: Mapping[str, Any],
    outcome: Outcome,
    restarts: Restarts,
    hard: bool,
    look: bool = True,
    log_likelihood: float | None = None,
) -> Fit:
    """The fit of the chosen climb; its ``log_likelihood`` if it is known.

    Without ``look`` its status says how the climb ended, no more.
    """
    best = restarts.chosen
    free = {name: as_jax(value[best]) for name, value in outcome.params.items()}
    leaves = {
        p.name: free[p.name] if p.free else as_jax(found["fixed"][p.name])
        for p in program.structure.parameters
    }
    objective = float(outcome.objective[best])
    if log_likelihood is None:
        log_likelihood = objective
        if hard or program.posterior:
            log_likelihood = objective_of.likelihood_at(program, free, rows)
    status = Status(int(restarts.status[best]))
    if look and status.ok:
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
        looked=look,
    )
