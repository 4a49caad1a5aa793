"""Many candidates fitted, one chosen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import pandas as pd

from ..em import EM, Fit, Sweep
from ..models.gaussian import STRUCTURES

MCLUST = tuple(name for name in STRUCTURES if name.isupper())
# With one component, what varies between components is the same: three structures are left.
_ALONE = ("EII", "EEI", "EEE")
CRITERIA = ("bic", "aic", "icl")
# The largest class first.
DEFAULT_ORDER = "size"
# More candidates than this are screened: climbed from few starts, not to the end, and the best few
# of them fitted in full.
MANY, STARTS, BEST, LOOSE = 12, 4, 4, 1e-3
SCREENED, IN_FULL = "screened", "in full"


@dataclass(frozen=True)
class Candidates:
    """All fits that were tried: a table with one row each, and the one that was chosen.

    ``fit`` is that one, its classes in order. Where candidates were screened, the table's column
    ``search`` says which of them were, and ``screening`` is a sentence about it; ``notes`` are
    sentences about the classes' order and names.
    """

    table: pd.DataFrame
    sweep: Sweep
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


class Told(Protocol):
    """Who hears how it goes on."""

    def begun(self, cell: dict[str, Any]) -> None:
        """A candidate is read, and handed to the compiler."""
        ...

    def done(self, cell: dict[str, Any]) -> None:
        """A candidate has climbed."""
        ...


def fit_all(
    model: Callable,
    seed: int,
    arguments: dict[str, Any],
    cells: Sequence[dict[str, Any]],
    criterion: str,
    options: dict[str, Any],
    told: Told,
    order: str = DEFAULT_ORDER,
    names: Sequence[str] = (),
) -> Candidates:
    """Fit every cell and choose by the criterion among those whose status is ok.

    Many candidates are looked at from a few starts each, and the best few of them fitted again
    from as many as usual; what is chosen was fitted in full. Its classes come in an ``order`` that
    `Fit.sorted` knows, and are called ``names``.

    Raises:
        ValueError: data or a model that cannot be fitted.
    """
    key = jax.random.key(seed)
    many = _many(cells, options)
    first = options | ({"num_restarts": STARTS, "tolerance": LOOSE} if many else {})

    def run(which: Sequence[int], wanted: dict[str, Any], look: bool = True) -> list[Fit]:
        def each() -> Iterator[tuple[tuple, dict[str, Any]]]:
            for i in which:
                told.begun(cells[i])
                yield (), arguments | cells[i]

        out = []
        for i, fit in zip(which, EM(model, **wanted).run_each(key, each(), look), strict=True):
            out.append(fit)
            told.done(cells[i])
        return out

    fits = run(range(len(cells)), first, look=not many)
    screened = set(range(len(fits))) if many else set()
    ahead = sorted(screened, key=lambda i: _rank(fits[i], criterion))[:BEST]
    while ahead:
        for i, fit in zip(ahead, run(ahead, options), strict=True):
            fits[i] = fit
            screened.remove(i)
        # If those did not end well, the next one is in front.
        ahead = [i for i in [_best(fits, criterion)] if i in screened]
    chosen = _best(fits, criterion)
    rows = [_row(cell, fit) for cell, fit in zip(cells, fits, strict=True)]
    if many:
        for i, row in enumerate(rows):
            row["search"] = SCREENED if i in screened else IN_FULL
    best, notes = _in_order(fits[chosen], order, names)
    tried = Sweep(tuple(cells), tuple(fits))
    return Candidates(pd.DataFrame(rows), tried, best, criterion, chosen, notes)


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


def _best(fits: Sequence[Fit], criterion: str) -> int:
    return min(range(len(fits)), key=lambda i: _rank(fits[i], criterion))


def _rank(fit: Fit, criterion: str) -> tuple[bool, float]:
    return not fit.status.ok, float(getattr(fit, criterion))


def _row(cell: dict[str, Any], fit: Fit) -> dict[str, Any]:
    chain = fit.program.structure.chain is not None
    return {
        **cell,
        "log_likelihood": fit.log_likelihood,
        "num_free_params": fit.num_free_params,
        **{name: getattr(fit, name) for name in CRITERIA if not (chain and name == "icl")},
        "status": fit.status.name,
    }
