"""Many candidates fitted, one chosen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import pandas as pd

from ..em import EM, Fit
from ..models.gaussian import STRUCTURES

MCLUST = tuple(name for name in STRUCTURES if name.isupper())
# With one component, what varies between components is the same: three structures are left.
_ALONE = ("EII", "EEI", "EEE")
CRITERIA = ("bic", "aic", "icl")


@dataclass(frozen=True)
class Candidates:
    """All fits that were tried: a table with one row each, and the one that was chosen."""

    table: pd.DataFrame
    fit: Fit
    criterion: str
    chosen: int

    @property
    def keywords(self) -> dict[str, Any]:
        """What the chosen fit was called with, of what was swept over."""
        names = [n for n in ("num_components", "covariance") if n in self.table]
        row = self.table.loc[self.chosen]
        return {n: int(row[n]) if n == "num_components" else str(row[n]) for n in names}


def grid(components: Sequence[int], covariances: Sequence[str]) -> list[dict[str, Any]]:
    """The keywords of each candidate; an empty list stands for a keyword that is not given."""
    axes: list[list[tuple[str, Any]]] = [
        [("num_components", k) for k in components],
        [("covariance", c) for c in covariances],
    ]
    cells = [dict(cell) for cell in itertools.product(*(axis for axis in axes if axis))]
    every = len(covariances) == len(MCLUST)
    return [
        c
        for c in cells or [{}]
        if not (every and c.get("num_components") == 1 and c["covariance"] not in _ALONE)
    ]


def fit_all(
    model: Callable,
    seed: int,
    arguments: dict[str, Any],
    cells: Sequence[dict[str, Any]],
    criterion: str,
    options: dict[str, Any],
    tell: Callable[[int, dict[str, Any]], None],
) -> Candidates:
    """Fit every cell and choose by the criterion among those whose status is ok.

    Many candidates are looked at from a few starts each, and the best few of them fitted again
    from as many as usual.

    Raises:
        ValueError: data or a model that cannot be fitted.
    """
    key = jax.random.key(seed)
    many = len(cells) > 12 and "num_restarts" not in options
    first = options | ({"num_restarts": 4, "tolerance": 1e-3} if many else {})
    calls = [((), arguments | cell) for cell in cells]
    fits = []
    for number, fit in enumerate(EM(model, **first).run_each(key, calls)):
        fits.append(fit)
        tell(number + 1, cells[number])
    if many:
        order = sorted(range(len(fits)), key=lambda i: _rank(fits[i], criterion, first=True))[:4]
        again = EM(model, **options).run_each(key, [calls[i] for i in order])
        for number, (i, fit) in enumerate(zip(order, again, strict=True)):
            fits[i] = fit
            tell(len(cells) + number + 1, cells[i])
    chosen = min(range(len(fits)), key=lambda i: _rank(fits[i], criterion))
    rows = [_row(cell, fit) for cell, fit in zip(cells, fits, strict=True)]
    try:
        best = fits[chosen].sorted()
    except ValueError:  # classes that cannot be renamed: labels, chains, covariates
        best = fits[chosen]
    return Candidates(pd.DataFrame(rows), best, criterion, chosen)


def total(cells: Sequence[dict[str, Any]], options: dict[str, Any]) -> int:
    """How many fits `fit_all` makes."""
    return len(cells) + (4 if len(cells) > 12 and "num_restarts" not in options else 0)


def _rank(fit: Fit, criterion: str, first: bool = False) -> tuple[bool, float]:
    status = fit.base_status if first else fit.status
    return not status.ok, float(getattr(fit, criterion))


def _row(cell: dict[str, Any], fit: Fit) -> dict[str, Any]:
    chain = fit.program.structure.chain is not None
    return {
        **cell,
        "log_likelihood": fit.log_likelihood,
        "num_free_params": fit.num_free_params,
        **{name: getattr(fit, name) for name in CRITERIA if not (chain and name == "icl")},
        "status": fit.status.name,
    }
