"""Counts: do they come as often as the mixture says?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from ..em.report.marginals import densities
from ..em.report.of_data.observed import COUNT
from . import _style
from ._shown import Names, chosen, of_places, part_of, shown

if TYPE_CHECKING:
    from ..em import Fit

_MOST_VALUES = 300


def rootogram(fit: Fit, names: Names, ax: Any = None, columns: Any = None, most: int = 9) -> Any:
    """Hanging rootograms (see `FitPlots.rootogram`)."""
    table = shown(fit, names)
    among = of_places(table, (COUNT,))
    if not among:
        raise ValueError(
            "a rootogram is of counts (Poisson, binomial, negative binomial ...), and this fit has "
            "none; fit.plot.density() shows other columns beside what the mixture says"
        )
    places = chosen(table, columns, among, most)
    axes = _style.panels(ax, *_style.grid_shape(len(places)), (3.8, 2.8))
    for here, place in zip(axes.ravel(), places, strict=False):
        there = ~np.isnan(table.values[place])
        values, weights = table.values[place][there].astype(int), table.weights[there]
        if values.max() >= _MOST_VALUES:
            raise ValueError(
                f"column {table.names[place]!r} has counts up to {values.max()}, too many for bars "
                "of single values; fit.plot.density() shows it"
            )
        grid = np.arange(values.max() + 1.0)
        observed = np.bincount(values, weights, len(grid))
        expected = weights.sum() * densities(fit, table, place, grid).sum(0)
        top = np.sqrt(expected)
        here.bar(
            grid,
            np.sqrt(observed),
            bottom=top - np.sqrt(observed),
            width=0.9,
            color=_style.FILL,
            edgecolor=_style.EDGE,
            lw=0.5,
            label="observed",
        )
        colour = _style.COLOURS[0]
        here.plot(grid, top, "o-", color=colour, ms=4, lw=1.4, label="expected")
        here.axhline(0, color=_style.INK, lw=1)
        here.xaxis.set_major_locator(MaxNLocator(integer=True))
        _style.finish(here, x=table.names[place], y="root of the number of rows")
    for empty in axes.ravel()[len(places) :]:
        empty.set_axis_off()
    axes.ravel()[0].legend(fontsize=_style.SMALL, frameon=False)
    if part := part_of(places, among, columns):
        axes.ravel()[0].figure.suptitle(part, fontsize=10)
    return _style.alone(axes)
