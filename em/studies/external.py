"""External variables of the classes in steps: covariates, and distal outcomes, of a fit."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.stats import norm

from ..calls.frames import columns
from ..calls.numbers import plain
from ..climb.boundary import inside
from ..options import a_fit, flag, one_of
from ..options import level as check_level
from ..report import information as info
from ..report.fit import Fit
from ..report.of_classes.names import class_names, number_of, numbered, versus
from ..report.precision import in_precision
from .hypotheses import HypothesisTest, wald
from .last_step import Given, Way, covariance_of, maximise, objective_of, terms_of
from .outcomes import OUTCOMES, Outcome, coded

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("ml", "bch", "two-step", "none")


@dataclass(frozen=True, eq=False)
class External:
    """How external variables go with the classes.

    Attributes:
        table: one row an estimate: estimate, standard error, z, p, interval. ``coefficients[j, c]``
            are log odds against the reference of the other classes in their order, of the constant
            (c = 0) and the covariates; the others are the outcome's parameters by class, on their
            own scale.
        covariance: (p, p) of the estimates on the scale they were found on.
        message: what the standard errors have in them.
    """

    table: pd.DataFrame
    covariance: np.ndarray = field(repr=False)
    message: str
    _estimates: np.ndarray = field(repr=False)
    _places: dict[str, np.ndarray] = field(repr=False)
    _classes: list[Any] = field(repr=False)

    def wald(self) -> HypothesisTest:
        """The omnibus test that the outcome is the same in all classes."""
        first, *others = self._locations()
        return self._test([(other, first) for other in others])

    def pairwise(self) -> pd.DataFrame:
        """One row a pair of classes: Wald's test that the outcome is the same in both."""
        import pandas as pd

        places = self._locations()
        rows = []
        for a, b in itertools.combinations(range(len(places)), 2):
            found = self._test([(places[b], places[a])])
            rows.append(
                (self._classes[a], self._classes[b], found.statistic, found.df, found.pvalue)
            )
        columns = ["first", "second", "statistic", "df", "pvalue"]
        return pd.DataFrame(rows, columns=columns).set_index(["first", "second"])

    def wald_of_covariate(self, number: int) -> HypothesisTest:
        """The test that a covariate, counted from 0, does not go with the classes."""
        places = self._places["coefficients"]
        if not 0 <= number < places.shape[1] - 1:
            raise ValueError(f"there are {places.shape[1] - 1} covariates, counted from 0")
        return self._test([(places[:, number + 1], None)])

    def _locations(self) -> np.ndarray:
        if "location" not in self._places:
            raise ValueError("there is no outcome to compare; see wald_of_covariate")
        places = self._places["location"]
        return places.reshape(len(places), -1)

    def _test(self, pairs: list[tuple[np.ndarray, np.ndarray | None]]) -> HypothesisTest:
        rows = []
        for plus, minus in pairs:
            for i in range(len(plus)):
                row = np.zeros(len(self._estimates))
                row[plus[i]] = 1
                if minus is not None:
                    row[minus[i]] = -1
                rows.append(row)
        restriction = np.array(rows)
        value = restriction @ self._estimates
        variance = restriction @ self.covariance @ restriction.T
        return wald(value, variance)


@in_precision
def external(
    fit: Fit,
    outcome: Any = None,
    *,
    kind: str = "continuous",
    covariates: Any = None,
    method: str = "ml",
    assignment: str = "modal",
    reference: int | str = 0,
    level: float = 0.95,
    first_step: bool = True,
) -> External:
    r"""Relate the classes of a fit to variables outside of its measurement model.

    The classes stay those of the fit. With ``z_n`` the covariates and ``y_n`` a distal outcome::

        max_beta sum_n w_n log sum_t P(t | z_n; beta) f(y_n | t; beta) m_nt

    - ``"ml"`` (Vermunt 2010, Political Analysis 18:450; Bakk, Tekle & Vermunt 2013, Sociological
      Methodology 43:272): ``m_nt = P(assigned to W_n | t)``, the classification errors of the fit;
    - ``"bch"`` (Bolck, Croon & Hagenaars 2004, Political Analysis 12:3; Vermunt 2010): rows
      weighted by the inverse of these errors, ``sum_t w*_nt log [P(t | z_n) f(y_n | t)]``, which
      asks nothing of the outcome's distribution within a class for its means;
    - ``"two-step"`` (Bakk & Kuha 2018, Psychometrika 83:871): ``m_nt = p(x_n | t)``, held fixed;
    - ``"none"``: rows as they were assigned, biased towards no relation where classes are unclear.

    One step is a model with all of it, fitted by `EM`. Standard errors are robust (a sandwich) and,
    unless ``first_step=False``, carry the first step's uncertainty (Bakk, Oberski & Vermunt 2014,
    Political Analysis 22:520).

    Args:
        fit: a fit with one latent class a row, the same class probabilities for all rows.
        outcome: (n,), NaN where missing; for ``kind="survival"`` (n, 2), times and 1 for an event.
        kind: "continuous" (means; a variance each), "binary", "count" (Poisson), "categorical"
            (0, 1, ..., or as they come: text, pandas categories; log odds are against the first),
            "survival" (constant hazards, right-censored).
        covariates: (n,) or (n, q) of the classes, without a constant; the columns of a frame have
            their names in the table.
        method: see above.
        assignment: "modal" or "proportional", for "ml" and "bch".
        reference: the class that log odds are against, by its number or name.
        level: of the intervals.
        first_step: whether the fit's own uncertainty is added.

    Raises:
        ValueError: an unknown option, variables of another length, neither outcome nor covariates,
            a model with groups, several classes or covariates of its own, or BCH weights that
            leave a class without rows.
    """
    a_fit("fit", fit, Fit)
    _check_options(kind, method, assignment, outcome, covariates)
    check_level(level)
    flag("first_step", first_step)
    outcome, categories = coded(outcome, kind)
    outcome = None if outcome is None else plain(outcome, "outcome")
    names = columns(covariates)
    covariates = None if covariates is None else plain(covariates, "covariates")
    program, family = fit.program, OUTCOMES[kind]
    structure = program.structure
    several = len(structure.levels) > 1 or len(structure.latents) > 1
    if several or structure.chain is not None or structure.latent.rowwise:
        raise ValueError(
            "external variables are of one class a row, of independent rows, without covariates of "
            "its own"
        )
    n, k = program.num_rows, program.num_components
    if k < 2:
        raise ValueError("external variables need at least two classes")
    reference = number_of(fit.call, k, reference)
    given = _given(fit, family, outcome, covariates, n, k, method, assignment)
    m = int(np.nanmax(np.asarray(outcome, float))) + 1 if kind == "categorical" else 1
    start = _start(family, given, k, reference, m, outcome is not None, method)
    vector, unravel = ravel_pytree(start)
    arrays = fit.call.arrays
    inner = inside(program, jax.device_get(fit.settled))
    u, of_u = ravel_pytree(program.unconstrain(inner, arrays, tuple(inner)))

    def terms(beta: jax.Array, u: jax.Array, given: Given, arrays: tuple) -> jax.Array:
        params = program.constrain(of_u(u), inner, arrays)
        return terms_of(program, params, arrays, unravel(beta), given, family, way)

    way = Way(method, assignment, reference, outcome is not None)
    step = objective_of(program, terms, given, arrays)
    found = maximise(step, np.asarray(vector, float), np.asarray(u, float))
    first = info.covariance(fit.information, "observed") if first_step else None
    variance = covariance_of(program, terms, found, u, given, arrays, first)
    message = "Standard errors are robust" + (
        ", and carry the uncertainty of the classes." if first_step else "; the classes are known."
    )
    places = jax.tree.map(lambda a: np.asarray(a, int), unravel(jnp.arange(len(vector)) * 1.0))
    values = {n: np.asarray(v, float) for n, v in unravel(jnp.asarray(found)).items()}
    called = {"coefficients": None if names is None else ("constant", *names)}
    called["location"] = categories if categories is None else categories[1:]
    classes = class_names(fit.call, k)
    of_class = {"location": classes, "log_scale": classes}
    if fit.call.classes.names:
        of_class["coefficients"] = versus(classes, reference)
    table = _table(values, places, variance, family, level, called, of_class)
    return External(table, variance, message, found, places, numbered(fit.call, k))


def _given(
    fit: Fit,
    family: Outcome,
    outcome: Any,
    covariates: Any,
    n: int,
    k: int,
    method: str,
    assignment: str,
) -> Given:
    dtype = fit.rows.weights.dtype
    design = np.ones((n, 1))
    if covariates is not None:
        z = np.asarray(covariates, float)
        z = z[:, None] if z.ndim == 1 else z
        if z.ndim != 2 or z.shape[0] != n or not np.isfinite(z).all():
            raise ValueError(
                f"covariates must be finite and have {n} rows, as the fit; not {z.shape}"
            )
        design = np.column_stack([design, z])
    y = family.checked(outcome, n)
    there = ~np.isnan(y).reshape(n, -1).any(1)
    filled = np.where(there.reshape(n, *[1] * (y.ndim - 1)), y, 1.0)
    resp = np.asarray(fit.responsibilities(), float)
    modal = method == "none" or assignment == "modal"
    assigned = np.eye(k)[resp.argmax(1)] if modal else resp
    parts = (filled, there, design, np.asarray(fit.rows.weights), assigned)
    return Given(*(jnp.asarray(a, bool if a.dtype == bool else dtype) for a in parts))


def _start(
    family: Outcome, given: Given, k: int, reference: int, m: int, has_outcome: bool, method: str
) -> dict[str, jax.Array]:
    weighted = given.assigned * given.weights[:, None]
    sizes = jnp.log(weighted.sum(0) + 0.5)
    constant = jnp.delete(sizes - sizes[reference], reference)
    coefficients = jnp.zeros((k - 1, given.design.shape[1])).at[:, 0].set(constant)
    start = {"coefficients": coefficients}
    if has_outcome:
        start |= family.start(given.outcome, weighted * given.there[:, None], m, method == "bch")
    return start


def _table(
    values: dict[str, np.ndarray],
    places: dict[str, np.ndarray],
    variance: np.ndarray,
    family: Outcome,
    level: float,
    called: Mapping[str, tuple | None],
    of_class: Mapping[str, tuple[str, ...]],
) -> pd.DataFrame:
    import pandas as pd

    reach = norm.ppf((1 + level) / 2)
    rows = []
    for name, value in values.items():
        label, back, slope = family.shown(name)
        for index in np.ndindex(value.shape):
            at, error = value[index], np.sqrt(variance[places[name][index], places[name][index]])
            z = at / error if name == "coefficients" else np.nan
            ends = back(at - reach * error), back(at + reach * error)
            words, names = list(map(str, index)), called.get(name)
            if words and name in of_class:
                words[0] = of_class[name][index[0]]
            if names is not None and len(words) == 2:
                words[1] = str(names[index[1]])
            elif names is not None:
                words.append(str(names[0]))
            own = f"{label}[{', '.join(words)}]"
            rows.append((own, back(at), slope(at) * error, z, 2 * norm.sf(abs(z)), *ends))
    columns = ["parameter", "estimate", "standard_error", "z", "p", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns).set_index("parameter")


def _check_options(kind: str, method: str, assignment: str, outcome: Any, covariates: Any) -> None:
    for name, value, known in (
        ("kind", kind, tuple(OUTCOMES)),
        ("method", method, METHODS),
        ("assignment", assignment, ("modal", "proportional")),
    ):
        one_of(name, value, known)
    if outcome is None and covariates is None:
        raise ValueError("give an outcome, covariates of the classes, or both")
