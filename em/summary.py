"""The table of estimates: `Fit.summary`."""

from __future__ import annotations

import itertools
from statistics import NormalDist
from typing import TYPE_CHECKING

import jax
import numpy as np

from . import information as info
from .deterministic import values as deterministics
from .program import Params

if TYPE_CHECKING:
    import pandas as pd

    from .fit import Fit


def summary(fit: Fit, level: float, kind: str) -> pd.DataFrame:
    """One row an entry: estimate, standard error, interval, note (see `Fit.summary`)."""
    import pandas as pd

    quantile = NormalDist().inv_cdf((1 + level) / 2)
    support = {p.name: p.constraint for p in fit.program.structure.free}
    errors, why = fit.standard_errors(kind), info.reasons(fit.information, fit.shapes)
    values = dict(fit.leaves)
    for name, (value, error, reason) in derived(fit, kind).items():
        values[name], errors[name], why[name] = value, error, reason
    table = []
    for name, value in values.items():
        array = np.asarray(value, float)
        for index in itertools.product(*map(range, array.shape)):
            estimate, error = float(array[index]), errors[name][index]
            missing = error is np.ma.masked
            low, high = (np.nan, np.nan)
            if not missing:
                low, high = interval(estimate, float(error), quantile, support.get(name, ""))
            note = str(why[name][index]) if name in why else "fixed"
            if name in fit.never_observed and fit.never_observed[name][index]:
                note = "never observed"
            label = name + (f"[{', '.join(map(str, index))}]" if index else "")
            se = np.nan if missing else float(error)
            table.append((label, estimate, se, low, high, note))
    columns = ["parameter", "estimate", "standard_error", "lower", "upper", "note"]
    return pd.DataFrame(table, columns=columns).set_index("parameter")


def derived(fit: Fit, kind: str) -> dict[str, tuple[np.ndarray, np.ma.MaskedArray, np.ndarray]]:
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
        found = deterministics(program, free, fit.call.arrays)
        return {n: found[n] for n in own}

    slopes = jax.jacfwd(values_at)(free)
    variance = info.covariance(information, kind)
    out = {}
    for name, value in own.items():
        by_site = {n: np.asarray(s, float).reshape(value.size, -1) for n, s in slopes[name].items()}
        touched = sum(
            (np.abs(by_site[n]) @ information.boundary[n].reshape(-1, 1)).ravel() for n in by_site
        )
        jacobian = sum(by_site[n] @ information.jacobian[n] for n in by_site)
        flat = information.directions.undetermined(jacobian)
        note = np.where(touched > 0, "boundary", np.where(flat, "not identified", ""))
        if not np.isfinite(information.matrix).all():
            note = np.full(value.size, "no finite information")
        squared = np.einsum("ij,jk,ik->i", jacobian, variance, jacobian)
        error = np.sqrt(np.maximum(squared, 0))
        masked = np.ma.MaskedArray(np.where(note == "", error, 0), mask=note != "")
        shape = value.shape
        out[name] = np.asarray(value), masked.reshape(shape), note.astype(object).reshape(shape)
    return out


def interval(estimate: float, error: float, quantile: float, support: str) -> tuple[float, float]:
    """Wald's interval on the scale of the support's logarithm or logit, where it has one."""
    if support in ("positive", "nonnegative", "softpluspositive") and estimate > 0:
        ratio = np.exp(min(quantile * error / estimate, 700.0))
        return estimate / ratio, estimate * ratio
    if support in ("unitinterval", "simplex") and 0 < estimate < 1:
        logit = np.log(estimate / (1 - estimate))
        step = min(quantile * error / (estimate * (1 - estimate)), 700.0)
        return _expit(logit - step), _expit(logit + step)
    return estimate - quantile * error, estimate + quantile * error


def _expit(x: float) -> float:
    return float(np.exp(-np.logaddexp(0.0, -x)))
