"""One column: what was observed, and what the mixture and each class make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..em.report.columns import Columns
from ..em.report.marginals import densities
from ..em.report.of_data.observed import CATEGORY, NUMBER
from . import _style
from ._shown import MOST_CLASSES, Names, chosen, part_of, shown

if TYPE_CHECKING:
    from ..em import Fit

_POINTS = 300
# Values of a count that bars can be drawn for.
_MOST_VALUES = 200


def density(fit: Fit, names: Names, ax: Any = None, columns: Any = None, most: int = 9) -> Any:
    """The columns one by one (see `FitPlots.density`)."""
    table = shown(fit, names)
    among = range(len(table.names))
    places = chosen(table, columns, among, most)
    axes = _style.panels(ax, *_style.grid_shape(len(places)), (3.4, 2.6))
    for here, place in zip(axes.ravel(), places, strict=False):
        draw_density(here, fit, table, place)
        if called := names.categories.get(table.names[place]):
            here.set_xticks(range(len(called)), called)
        word = "probability" if table.kinds[place] != NUMBER else "density"
        _style.finish(here, x=table.names[place], y=word)
    for empty in axes.ravel()[len(places) :]:
        empty.set_axis_off()
    axes.ravel()[0].legend(fontsize=_style.SMALL, frameon=False)
    if part := part_of(places, among, columns):
        axes.ravel()[0].figure.suptitle(part, fontsize=10)
    return _style.alone(axes)


def draw_density(ax: Axes, fit: Fit, table: Columns, place: int) -> None:
    """A histogram, or bars of proportions, under the classes' parts and their sum."""
    there = ~np.isnan(table.values[place])
    values, weights = table.values[place][there], table.weights[there]
    if table.kinds[place] == NUMBER:
        low, high = values.min(), values.max()
        pad = 0.08 * (high - low) or 1.0
        grid = np.linspace(low - pad, high + pad, _POINTS)
        edges = np.histogram_bin_edges(values, _bins(values))
        bars: dict[str, Any] = {"color": _style.FILL, "edgecolor": _style.EDGE, "lw": 0.5}
        ax.hist(values, list(edges), weights=weights, density=True, **bars)
        marks: dict[str, Any] = {}
    else:
        low, high = int(values.min()), int(values.max())
        grid = np.arange(min(low, 0) if table.kinds[place] == CATEGORY else low, high + 1.0)
        if len(grid) > _MOST_VALUES:
            grid = np.unique(np.linspace(low, high, _MOST_VALUES).astype(int)).astype(float)
        counts = np.bincount((values - low).astype(int), weights) / weights.sum()
        ax.bar(np.arange(low, high + 1), counts, color=_style.FILL, edgecolor=_style.EDGE, lw=0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        marks = {"ms": 4} if len(grid) <= 30 else {}
    parts = densities(fit, table, place, grid)
    many = len(table.classes) > MOST_CLASSES
    for k, name in enumerate([] if many else table.classes):
        colour, marker, line = _style.style(k)
        own = {"marker": marker, **marks} if marks else {}
        ax.plot(grid, parts[k], color=colour, ls=line, lw=1.6, label=name, **own)
    if many or len(table.classes) > 1:
        ax.plot(grid, parts.sum(0), color=_style.QUIET, lw=3.5, label="mixture", zorder=1.9)
    # A density that is infinite at an edge must not hide the rest.
    if table.kinds[place] == NUMBER:
        top = max(np.histogram(values, edges, weights=weights, density=True)[0].max(), 1e-300)
        seen = parts.sum(0)[np.isfinite(parts.sum(0))]
        ax.set_ylim(0, min(1.08 * max(top, seen.max(initial=0)), 3 * top))


def _bins(values: np.ndarray) -> int:
    """Freedman and Diaconis's (1981) number of bins, between 8 and 60."""
    quarter = np.subtract(*np.quantile(values, [0.75, 0.25]))
    width = 2 * quarter * len(values) ** (-1 / 3)
    span = values.max() - values.min()
    return int(np.clip(np.ceil(span / width), 8, 60)) if width > 0 else 20
