"""The table of estimates: `Fit.summary`."""

from __future__ import annotations

import itertools
import operator
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from scipy.stats import norm

from ..climb.boundary import POSITIVE
from ..options import level as check_level
from ..options import one_of
from ..plan.program import Params
from ..rows.streamed import one_batch_of
from . import information as info
from .of_classes.names import class_names, number_of, versus
from .of_classes.reference import Contrasts, contrasts, logits_of
from .of_data.deterministic import values as deterministics
from .profile import profile
from .words import label

if TYPE_CHECKING:
    import pandas as pd

    from .result import Result


# A step of one standard error, in the logit or logarithm, from which on Wald's interval is poor:
# the estimate is nearer to the edge than its error.
_POOR = 1.0
_NEAR_EDGE = "near the edge: take interval='profile'"


def summary(
    fit: Result, level: float, kind: str, kind_of_interval: str, reference: Any = None
) -> pd.DataFrame:
    """One row an entry: estimate, standard error, interval, note (see `Fit.summary`)."""
    import pandas as pd

    one_of("interval", kind_of_interval, ("wald", "profile"))
    check_level(level)
    quantile = NormalDist().inv_cdf((1 + level) / 2)
    support = {p.name: p.constraint for p in fit.program.structure.free}
    errors, why = fit.standard_errors(kind), info.reasons(fit.information, fit.shapes)
    values: dict[str, Any] = dict(fit.leaves)
    for name, (value, error, reason) in derived(fit, kind).items():
        values[name], errors[name], why[name] = value, error, reason
    against, names = _against(fit, kind, kind_of_interval, reference)
    for name, found in against.items():
        values[name], errors[name], why[name] = found.value, found.error, found.note
        support |= {name: ""}
    table = []
    for name, value in values.items():
        array = np.asarray(value, float)
        for index in itertools.product(*map(range, array.shape)):
            entry = label(fit.program, fit.call, name, index, names if name in against else ())
            if entry is None:
                continue
            estimate, error = float(array[index]), errors[name][index]
            missing = error is np.ma.masked
            low, high = (np.nan, np.nan)
            note = str(why[name][index]) if name in why else "fixed"
            if not missing and kind_of_interval == "profile" and name in support and error > 0:
                low, high = profile(fit, name, index, quantile**2 / 2)
                note = "" if low <= high else "no profile interval found"
            elif not missing:
                low, high = interval(estimate, float(error), quantile, support.get(name, ""))
                if relative(estimate, float(error), support.get(name, "")) > _POOR:
                    note = _NEAR_EDGE
            if name in fit.never_observed and fit.never_observed[name][index]:
                note = "never observed"
            se = np.nan if missing else float(error)
            table.append((entry, estimate, se, low, high, note))
    columns = ["parameter", "estimate", "standard_error", "lower", "upper", "note"]
    return pd.DataFrame(table, columns=columns).set_index("parameter")


def _against(
    fit: Result, kind: str, kind_of_interval: str, reference: Any
) -> tuple[dict[str, Contrasts], tuple[str, ...]]:
    """Coefficients against a class (see `Fit.summary`), and what their classes are called."""
    if reference is None:
        return {}, ()
    k = fit.program.num_components
    number, logits = number_of(fit.call, k, reference), logits_of(fit)
    if kind_of_interval == "profile":
        raise ValueError("coefficients against another class have interval='wald' alone")
    return contrasts(fit, logits, number, kind), versus(class_names(fit.call, k), number)


def extended(fit: Result, table: pd.DataFrame, tests: bool, exponentiate: bool) -> pd.DataFrame:
    """The table with columns more for parameters on the real line (see `Fit.summary`)."""
    own = {p.name for p in fit.program.structure.free if p.constraint == "real"}
    real = np.array([entry.partition("[")[0] in own for entry in table.index], bool)
    of = table.drop(columns="note").astype(float)
    of[~real] = np.nan
    if tests:
        z = of["estimate"] / of["standard_error"]
        table = table.assign(z=z, p=2 * norm.sf(np.abs(z)))
    if exponentiate:
        ends = {"exp": "estimate", "exp_lower": "lower", "exp_upper": "upper"}
        table = table.assign(**{n: np.exp(of[c]) for n, c in ends.items()})
    return table


def derived(fit: Result, kind: str) -> dict[str, tuple[np.ndarray, np.ma.MaskedArray, np.ndarray]]:
    """{deterministic site: (values, standard errors, notes)}, by the delta method.

    Sites with a value for every row are left out: they are in ``fit.deterministics``.
    """
    program, information = fit.program, fit.information
    lengths = {n for level in program.structure.levels for n in (level.num_rows, *level.rows)}
    own = {n: v for n, v in fit.deterministics.items() if not lengths & set(v.shape)}
    if not own:
        return {}
    free = {p.name: fit.leaves[p.name] for p in program.structure.free}

    def values_at(free: Params) -> Params:
        found = deterministics(program, free, one_batch_of(fit.rows).arrays)
        return {n: found[n] for n in own}

    slopes = jax.jacfwd(values_at)(free)
    out = {}
    for name, value in own.items():
        by_site = {n: np.asarray(s, float).reshape(value.size, -1) for n, s in slopes[name].items()}
        error, note = info.of_functions(information, by_site, kind)
        out[name] = np.asarray(value), error.reshape(value.shape), note.reshape(value.shape)
    return out


def profile_interval(
    fit: Result, site: str, index: tuple[int, ...], level: float
) -> tuple[float, float]:
    """See `Fit.profile_interval`."""
    check_level(level)
    errors = fit.standard_errors()
    if not isinstance(site, str) or site not in fit.shapes:
        raise ValueError(f"site {site!r} is no free parameter; those are {', '.join(fit.shapes)}")
    try:
        given = index if isinstance(index, tuple | list) else (None,)
        index = tuple(map(operator.index, given))
        error = errors[site][index]
    except (IndexError, TypeError):
        error = None
    if np.shape(error) or error is None:
        raise ValueError(f"index {index!r} is no entry of {site!r}, of shape {fit.shapes[site]}")
    if error is np.ma.masked:
        reason = info.reasons(fit.information, fit.shapes)[site][index]
        raise ValueError(f"entry {index} of {site!r} has no standard error: {reason}")
    return profile(fit, site, index, NormalDist().inv_cdf((1 + level) / 2) ** 2 / 2)


def relative(estimate: float, error: float, support: str) -> float:
    """The standard error on the scale of the support's logarithm or logit, where it has one."""
    if support in POSITIVE and estimate > 0:
        return error / estimate
    if support in ("unitinterval", "simplex") and 0 < estimate < 1:
        return error / (estimate * (1 - estimate))
    return 0.0


def interval(estimate: float, error: float, quantile: float, support: str) -> tuple[float, float]:
    """Wald's interval on the scale of the support's logarithm or logit, where it has one."""
    step = min(quantile * relative(estimate, error, support), 700.0)
    if step and support in POSITIVE:
        return estimate * np.exp(-step), estimate * np.exp(step)
    if step:
        logit = np.log(estimate / (1 - estimate))
        return _expit(logit - step), _expit(logit + step)
    return estimate - quantile * error, estimate + quantile * error


def _expit(x: float) -> float:
    return float(np.exp(-np.logaddexp(0.0, -x)))
