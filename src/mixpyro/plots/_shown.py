"""What pictures of a fit share: its columns and their names, which of them are drawn, the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..em.options import whole
from ..em.report.columns import Columns, columns_of
from ..em.report.of_data.observed import CATEGORY

if TYPE_CHECKING:
    from ..em import Fit

# Classes that a reader can tell apart in one picture, and points that one can.
MOST_CLASSES, MOST_POINTS = 12, 4000


@dataclass(frozen=True)
class Names:
    """Names that the user gives instead of those found in the data."""

    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def shown(fit: Fit, names: Names) -> Columns:
    """The columns of a fit, called as the user wants.

    Raises:
        ValueError: another number of names than there are columns or classes, or categories of a
            column that is not there.
    """
    found = columns_of(fit)
    for kind, given, own in (
        ("columns", names.columns, found.names),
        ("classes", names.classes, found.classes),
    ):
        if given and len(given) != len(own):
            raise ValueError(f"{len(given)} names of {kind} are given; the fit has {len(own)}")
    called = names.columns or found.names
    if unknown := [n for n in names.categories if n not in called]:
        raise ValueError(f"categories are named of the column {unknown[0]!r}, which is not there")
    return replace(found, names=called, classes=names.classes or found.classes)


def chosen(columns: Columns, wanted: Any, among: Sequence[int], most: int) -> list[int]:
    """The places of the columns to draw: those that are wanted, or those that tell most.

    Of more than ``most`` those are taken whose means differ most between the classes, by the
    share of their variance, in the order of the data.

    Raises:
        ValueError: a column that is not there, or that this picture does not show.
    """
    whole("most", most)
    if wanted is not None:
        asked = [wanted] if isinstance(wanted, str | int | np.integer) else list(wanted)
        places = [_place(columns, name) for name in asked]
        for place in places:
            if place not in among:
                raise ValueError(
                    f"column {columns.names[place]!r} holds {_PLURAL[columns.kinds[place]]}, which "
                    "this picture does not show"
                )
        return places
    if len(among) <= most:
        return list(among)
    between = [_between(columns, place) for place in among]
    best = np.argsort(-np.array(between), kind="stable")[:most]
    return sorted(among[i] for i in best)


_PLURAL = {"number": "numbers", "count": "counts", CATEGORY: "categories"}


def _place(columns: Columns, name: Any) -> int:
    if isinstance(name, int | np.integer) and -len(columns.names) <= name < len(columns.names):
        return int(name) % len(columns.names)
    if name in columns.names:
        return columns.names.index(name)
    known = ", ".join(map(repr, columns.names[:8]))
    more = f" and {len(columns.names) - 8} more" if len(columns.names) > 8 else ""
    raise ValueError(f"there is no column {name!r}; the columns are {known}{more}")


def _between(columns: Columns, place: int) -> float:
    """The share of a column's variance that lies between the classes."""
    there = ~np.isnan(columns.values[place])
    x, weights = columns.values[place][there], columns.weights[there]
    by_class = columns.responsibilities[there] * weights[:, None]
    sizes = by_class.sum(0)
    mean = (weights @ x) / weights.sum()
    centres = (x @ by_class) / np.maximum(sizes, 1e-300)
    variance = weights @ (x - mean) ** 2
    return float(sizes @ (centres - mean) ** 2 / variance) if variance > 0 else 0.0


def few_classes(columns: Columns) -> None:
    """Refuse more classes than can be told apart."""
    if len(columns.classes) > MOST_CLASSES:
        raise ValueError(
            f"classes are told apart by colour and marker, at most {MOST_CLASSES} of them, and "
            f"this fit has {len(columns.classes)}; fit.plot.density() and "
            "fit.plot.uncertainty() do without"
        )


def some_rows(number: int) -> np.ndarray:
    """The rows that are drawn: all, or evenly spaced ones where they would hide each other."""
    if number <= MOST_POINTS:
        return np.arange(number)
    return np.unique(np.linspace(0, number - 1, MOST_POINTS).astype(int))


def of_places(columns: Columns, kinds: Sequence[str]) -> list[int]:
    """The places of the columns of some kinds."""
    return [i for i, kind in enumerate(columns.kinds) if kind in kinds]


def part_of(places: Sequence[int], among: Sequence[int], wanted: Any) -> str:
    """What a title says where not all columns are drawn, and nobody named those that are."""
    if wanted is not None or len(places) == len(among):
        return ""
    return f"The {len(places)} of {len(among)} columns that differ most between the classes"
