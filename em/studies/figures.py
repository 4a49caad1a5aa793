"""What a table of several fits says of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..report.fit import Fit

_FIRST = ("log_likelihood", "num_free_params", "aic", "bic", "icl", "entropy")
_THEN = ("aic3", "sabic", "caic", "clc", "awe", "relative_entropy")


def figures(fit: Fit) -> dict[str, Any]:
    """What `Fit.indices` knows, what is looked at first in front; and the status's name."""
    first = [name for name in _FIRST if name != "icl" or fit.program.structure.chain is None]
    found = fit.indices()
    every = {n: getattr(fit, n) for n in first} | {n: found[n] for n in _THEN if n in found}
    return every | {"status": fit.status.name}


def figure(fit: Fit, name: str) -> float:
    """One of these numbers, NaN where a fit has none: no other is computed."""
    if name in _THEN:
        return fit.indices().get(name, np.nan)
    known = name != "icl" or fit.program.structure.chain is None
    return getattr(fit, name) if known else np.nan


def below(more: float, fewer: float) -> bool:
    """Whether a log-likelihood is lower than that of a model within its own, not by rounding."""
    return fewer - more > 1e-6 * (1 + abs(fewer))
