"""What the classes are: the mean of every column, or the share of every category, by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from scipy.stats import norm

from ..em.report import information as info
from ..em.report.columns import Columns
from ..em.report.marginals import densities, means
from ..em.report.of_data.observed import COUNT, NUMBER
from . import _style
from ._shown import Names, chosen, few_classes, part_of, shown

if TYPE_CHECKING:
    from ..em import Fit


def profiles(
    fit: Fit,
    names: Names,
    ax: Any = None,
    columns: Any = None,
    level: float | None = 0.95,
    most: int = 40,
) -> Any:
    """Classes side by side (see `FitPlots.profiles`)."""
    table = shown(fit, names)
    few_classes(table)
    among = range(len(table.names))
    places = chosen(table, columns, among, most)
    numbers = [p for p in places if table.kinds[p] in (NUMBER, COUNT)]
    binary = [p for p in places if p not in numbers and _top(table, p) <= 1]
    several = [p for p in places if p not in numbers and p not in binary]
    k = len(table.classes)
    kinds = [part for part in (numbers, binary) if part]
    count = len(kinds) + (k if several else 0)
    axes = _style.panels(ax, *_style.grid_shape(count), _size(places, count))
    free = list(axes.ravel())
    if kinds:
        centres, errors = _centres(fit, table, level)
        for part in kinds:
            here = free.pop(0)
            _lines(here, table, part, centres, errors, part is numbers)
            here.legend(fontsize=_style.SMALL, frameon=False)
    for j in range(k if several else 0):
        _bars(free.pop(0), fit, table, several, j, names.categories)
    for empty in free:
        empty.set_axis_off()
    if some := part_of(places, among, columns):
        axes.ravel()[0].figure.suptitle(some, fontsize=10)
    return _style.alone(axes.ravel()[:count].reshape(axes.shape if axes.size == count else -1))


def _size(places: Sequence[int], count: int) -> tuple[float, float]:
    width = max(3.4, 0.35 * len(places)) if count > 1 else max(5.6, 0.4 * len(places))
    return min(width, 14.0), max(3.0, 0.22 * len(places) if count > 1 else 3.6)


def _top(table: Columns, place: int) -> int:
    return int(np.nanmax(table.values[place]))


def _centres(fit: Fit, table: Columns, level: float | None) -> tuple[np.ndarray, np.ndarray]:
    """(k, d) the mean of each column by class, and half the width of its interval (NaN: none).

    The delta method: ``se^2 = J I^-1 J'`` with J the slopes of the mean along the parameters.
    """
    if level is not None and not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, or None for no intervals, not {level!r}")
    if level is None or not fit.free or info.cost(fit.program) > info.BUDGET:
        value, _ = means(fit, table)
        return value, np.full(value.shape, np.nan)
    information = fit.information
    value, slopes = means(fit, table, slopes=True)
    if not np.isfinite(information.matrix).all():
        return value, np.full(value.shape, np.nan)
    flat = {n: s.reshape(value.size, -1) for n, s in slopes.items()}
    jacobian = sum(flat[n] @ np.nan_to_num(information.jacobian[n]) for n in flat)
    touched = sum(np.abs(flat[n]) @ information.boundary[n].reshape(-1, 1) for n in flat).ravel()
    unknown = (touched > 0) | information.directions.undetermined(jacobian)
    squared = np.einsum("ij,jk,ik->i", jacobian, info.covariance(information), jacobian)
    width = norm.ppf((1 + level) / 2) * np.sqrt(np.maximum(squared, 0))
    return value, np.where(unknown, np.nan, width).reshape(value.shape)


def _lines(
    ax: Axes,
    table: Columns,
    places: Sequence[int],
    centres: np.ndarray,
    errors: np.ndarray,
    numbers: bool,
) -> None:
    """One line a class across columns; of several units, in standard deviations."""
    values = table.values[places]
    several = numbers and len(places) > 1
    centre, spread = np.zeros(len(places)), np.ones(len(places))
    if several:
        size = np.nanmax(np.abs(values), 1) + np.finfo(float).tiny  # whose square may overflow
        centre, spread = np.nanmean(values, 1), np.nanstd(values / size[:, None], 1) * size
        spread = np.where(spread > 0, spread, 1.0)
    k = len(table.classes)
    for j in range(k):
        colour, marker, line = _style.style(j)
        # Side by side, so that intervals do not hide each other.
        where = np.arange(len(places)) + 0.3 * ((j + 0.5) / k - 0.5)
        share = table.weights @ table.responsibilities[:, j] / table.weights.sum()
        ax.errorbar(
            where,
            (centres[j, places] - centre) / spread,
            np.nan_to_num(errors[j, places]) / spread,
            color=colour,
            marker=marker,
            ls=line,
            ms=5,
            lw=1.4,
            capsize=2,
            label=f"{table.classes[j]} ({share:.0%})",
        )
    turn = len(places) > 4 or max(len(table.names[p]) for p in places) > 14
    ax.set_xticks(
        range(len(places)),
        [table.names[p] for p in places],
        rotation=60 if turn else 0,
        ha="right" if turn else "center",
    )
    if not numbers:
        ax.set_ylim(-0.03, 1.03)
        ones = {_called(table.categories[p], 1) for p in places}
        _style.finish(ax, y=f"probability of {_only(ones, 'the second category')}")
        return
    word = "mean (in overall standard deviations)" if several else "mean"
    _style.finish(ax, y=word)


def _bars(
    ax: Axes,
    fit: Fit,
    table: Columns,
    places: Sequence[int],
    j: int,
    categories: Mapping[str, tuple[str, ...]],
) -> None:
    """Stacked shares of the categories of each column in one class."""
    most = max(_top(table, p) for p in places)
    start = np.zeros(len(places))
    shares = np.zeros((len(places), most + 1))
    for row, place in enumerate(places):
        grid = np.arange(_top(table, place) + 1.0)
        part = densities(fit, table, place, grid)[j]
        shares[row, : len(grid)] = part / part.sum()
    light = to_rgb("#e8edf3")
    dark = to_rgb(_style.style(j).color)
    for category in range(most + 1):
        mix = 0.97 * category / max(most, 1)  # no class's own colour: words stand on it
        shade = tuple((1 - mix) * a + mix * b for a, b in zip(light, dark, strict=True))
        ax.barh(
            range(len(places)),
            shares[:, category],
            left=start,
            color=[shade],
            edgecolor=_style.PAPER,
            lw=0.7,
            label=_only(
                {_called(_names(table, p, categories), category) for p in places}, str(category)
            ),
        )
        for row in map(int, np.flatnonzero(shares[:, category] > 0.08)):
            luminance = 0.3 * shade[0] + 0.59 * shade[1] + 0.11 * shade[2]
            ax.text(
                start[row] + shares[row, category] / 2,
                row,
                _word(_names(table, places[row], categories), category, shares[row, category]),
                ha="center",
                va="center",
                fontsize=7,
                color=_style.ON_DARK if luminance < 0.55 else _style.ON_LIGHT,
            )
        start += shares[:, category]
    ax.set_yticks(range(len(places)), [table.names[p] for p in places])
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    share = table.weights @ table.responsibilities[:, j] / table.weights.sum()
    named = categories or any(table.categories)
    word = "share of each category" if named else "share of the categories 0, 1, ..."
    _style.finish(ax, f"{table.classes[j]} ({share:.0%})", word)


def _only(names: set[str], otherwise: str) -> str:
    """The one name that there is."""
    return next(iter(names)) if len(names) == 1 else otherwise


def _names(table: Columns, place: int, categories: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """What the categories of a column are called, where that is known."""
    return categories.get(table.names[place], ()) or table.categories[place]


def _called(known: Sequence[str], category: int) -> str:
    return known[category] if category < len(known) else str(category)


def _word(known: Sequence[str], category: int, share: float) -> str:
    """What a category is called, cut to what its part of a bar has room for."""
    word = _called(known, category)
    room = max(int(28 * share), 1)
    return word if len(word) <= room else word[: max(room - 1, 1)] + "…"
