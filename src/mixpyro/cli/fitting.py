"""Many candidates fitted, one chosen."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from ..em import Fit
from ..models.gaussian import STRUCTURES
from .jobs import Job, Told, row_of, screened

MCLUST = tuple(name for name in STRUCTURES if name.isupper())
# With one component, what varies between components is the same: three structures are left.
_ALONE = ("EII", "EEI", "EEE")
# The largest class first.
DEFAULT_ORDER = "size"
# More candidates than this are screened: climbed from few starts, not to the end, and the best few
# of them fitted in full.
MANY, STARTS, BEST, LOOSE = 12, 4, 4, 1e-3
SCREENED, IN_FULL = "screened", "in full"


@dataclass(frozen=True)
class Candidates:
    """All fits that were tried: a table with one row each of ``cells``, and the one chosen.

    ``fit`` is that one, its classes in order. Where candidates were screened, the table's column
    ``search`` says which of them were, and ``screening`` is a sentence about it; ``notes`` are
    sentences about the classes' order and names.
    """

    cells: Sequence[dict[str, Any]]
    table: pd.DataFrame
    fit: Fit
    criterion: str
    chosen: int
    notes: tuple[str, ...] = ()

    @property
    def keywords(self) -> dict[str, Any]:
        """What the chosen fit was called with, of what was swept over."""
        names = [n for n in ("num_components", "covariance") if n in self.table]
        row = self.table.loc[self.chosen]
        return {n: int(row[n]) if n == "num_components" else str(row[n]) for n in names}

    @property
    def screening(self) -> str:
        """What was not fitted in full, and what to do about it; empty if all were."""
        if "search" not in self.table:
            return ""
        number = int((self.table["search"] == SCREENED).sum())
        return (
            f"{number} of {len(self.table)} candidates were only screened ({STARTS} starts each, "
            f"climbed until a step gained less than {LOOSE:g}) and are marked so: they may be "
            f"better than they look. The best {len(self.table) - number} were fitted in full; "
            "--restarts 20 does so with all."
        )


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
    job: Job,
    cells: Sequence[dict[str, Any]],
    criterion: str,
    told: Told,
    order: str = DEFAULT_ORDER,
    names: Sequence[str] = (),
) -> Candidates:
    """Fit every cell and choose by the criterion among those whose status is ok.

    Many candidates are looked at from a few starts each, in several processes where there are
    cores, and the best few of them fitted again from as many as usual; what is chosen was fitted in
    full. Its classes come in an ``order`` that `Fit.sorted` knows, and are called ``names``.

    Raises:
        ValueError: data or a model that cannot be fitted; ICL of chains.
    """
    many = _many(cells, job.options)
    fits: dict[int, Fit] = {}
    rows: dict[int, dict[str, Any]] = {}

    def in_full(which: Sequence[int]) -> None:
        for i, fit in zip(which, job.fits([cells[i] for i in which], told), strict=True):
            fits[i], rows[i] = fit, row_of(cells[i], fit)

    if many:
        loosely = replace(job, options=job.options | {"num_restarts": STARTS, "tolerance": LOOSE})
        rows.update(enumerate(screened(loosely, cells, told)))
        ahead = sorted(rows, key=lambda i: _rank(rows[i], criterion))[:BEST]
    else:
        ahead = list(range(len(cells)))
    while ahead:
        in_full(ahead)
        # If those did not end well, the next one is in front.
        ahead = [i for i in [_best(rows, criterion)] if i not in fits]
    chosen = _best(rows, criterion)
    table = pd.DataFrame([rows[i] for i in range(len(cells))])
    if many:
        table["search"] = [IN_FULL if i in fits else SCREENED for i in range(len(cells))]
    best, notes = _in_order(fits[chosen], order, names)
    return Candidates(cells, table, best, criterion, chosen, notes)


def _in_order(fit: Fit, by: str, names: Sequence[str]) -> tuple[Fit, tuple[str, ...]]:
    """The fit with its classes in order and with their names; why not, if they cannot be."""
    try:
        fit = fit.sorted(by)
    except ValueError as error:  # an unknown entry; classes that cannot be renamed
        if by != DEFAULT_ORDER:
            kept = " and without their names" if names else ""
            return fit, (f"The classes are in no order{kept}: {error}.",)
    try:
        return (fit.named(names) if names else fit), ()
    except ValueError as error:  # a model whose number of classes no option tells
        return fit, (f"The classes are without their names: {error}.",)


def total(cells: Sequence[dict[str, Any]], options: dict[str, Any]) -> int:
    """How many fits `fit_all` makes, if the best end well."""
    return len(cells) + (BEST if _many(cells, options) else 0)


def _many(cells: Sequence[dict[str, Any]], options: dict[str, Any]) -> bool:
    return len(cells) > MANY and "num_restarts" not in options


def _best(rows: dict[int, dict[str, Any]], criterion: str) -> int:
    return min(sorted(rows), key=lambda i: _rank(rows[i], criterion))


def _rank(row: dict[str, Any], criterion: str) -> tuple[bool, float]:
    if criterion not in row:
        raise ValueError(f"chains have no {criterion.upper()}: choose by bic or aic")
    return row["status"] != "CONVERGED", float(row[criterion])
