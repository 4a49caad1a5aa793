"""The table of estimates: `Fit.summary`."""

from __future__ import annotations

import itertools
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from . import information as info

if TYPE_CHECKING:
    import pandas as pd

    from .fit import Fit


def summary(fit: Fit, level: float, kind: str) -> pd.DataFrame:
    """One row an entry: estimate, standard error, interval, note (see `Fit.summary`)."""
    import pandas as pd

    quantile = NormalDist().inv_cdf((1 + level) / 2)
    errors = fit.standard_errors(kind)
    why = info.reasons(fit.information, fit.shapes)
    support = {p.name: p.constraint for p in fit.program.structure.free}
    table = []
    for name, value in fit.params.items():
        array = np.asarray(value, float)
        for index in itertools.product(*map(range, array.shape)):
            estimate, error = float(array[index]), errors[name][index]
            missing = error is np.ma.masked
            low, high = (np.nan, np.nan)
            if not missing:
                low, high = interval(estimate, float(error), quantile, support.get(name, ""))
            note = str(why[name][index]) if name in why else "fixed"
            label = name + (f"[{', '.join(map(str, index))}]" if index else "")
            se = np.nan if missing else float(error)
            table.append((label, estimate, se, low, high, note))
    columns = ["parameter", "estimate", "standard_error", "lower", "upper", "note"]
    return pd.DataFrame(table, columns=columns).set_index("parameter")


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
