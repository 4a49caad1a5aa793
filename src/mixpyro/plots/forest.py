"""The picture of a cross-check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from . import _style

if TYPE_CHECKING:
    import pandas as pd

_COLOURS = {"em": "#4b4b4b"} | dict(zip(("nuts", "svi", "laplace"), _style.COLOURS, strict=False))
_MARKERS = {"em": "|", "nuts": "o", "svi": "^", "laplace": "s"}
_NAMES = {"em": "EM, 95% (Wald)", "nuts": "NUTS", "svi": "SVI", "laplace": "Laplace"}
# Entries beyond this many are not drawn: the picture would be unreadable.
_MOST = 60


class Report(Protocol):
    """What is drawn: see `CrossCheck`."""

    @property
    def table(self) -> pd.DataFrame:
        """One row an entry."""
        ...

    @property
    def intervals(self) -> Mapping[str, Any]:
        """{method: {entry: (2.5%, mean, 97.5%)}}."""
        ...


def forest(report: Report, ax: Axes | None = None) -> Axes:
    """One line an entry: EM's interval and each posterior's 95% interval and mean.

    Values are shown less the estimate and divided by its standard error (where there is none, by
    the first posterior's standard deviation), so that lines of all units compare; the estimate
    itself is written on the right.
    """
    methods = list(report.intervals)
    labels = list(report.intervals[methods[0]])[:_MOST]
    axes = _style.one(ax, (8.5, 1.6 + (0.18 * len(methods) + 0.16) * len(labels)))
    table = report.table
    step = 0.8 / (len(methods) + 1)
    for line, label in enumerate(labels):
        estimate, se = table.loc[label, ["em", "se"]]
        known = np.isfinite(se) and se > 0
        unit = se if known else table.loc[label, f"{methods[0]}_sd"]
        top = line - 0.4 + step / 2
        if known:
            axes.plot([-1.96, 1.96], [top, top], color=_COLOURS["em"], lw=3, alpha=0.45)
        axes.plot(0, top, "|", color=_COLOURS["em"], ms=8, mew=1.8)
        for place, name in enumerate(methods, 1):
            low, mean, high = ((v - estimate) / unit for v in report.intervals[name][label])
            y = top + place * step
            axes.plot([low, high], [y, y], color=_COLOURS[name], lw=1.6)
            axes.plot(mean, y, _MARKERS[name], color=_COLOURS[name], ms=4)
        agrees = str(table.loc[label, "verdict"]).startswith("agrees")
        words = f"{estimate:.4g}" + (f" ± {se:.2g}" if known else " (no s.e.)")
        axes.text(
            1.01,
            line,
            words + ("" if agrees else f"   {table.loc[label, 'verdict']}"),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8,
            color="black" if agrees else _style.WARNING,
        )
    axes.axvline(0, color=_style.EDGE, lw=0.8, zorder=0)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    _style.finish(
        axes,
        "EM beside the posterior of the same model (95% intervals)",
        "value less the estimate, in standard errors of the estimate",
    )
    handles = [
        Line2D(
            [],
            [],
            color=_COLOURS[n],
            lw=3 if n == "em" else 1.6,
            marker=_MARKERS[n],
            ms=5,
            label=_NAMES[n],
        )
        for n in ("em", *methods)
    ]
    axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.9 / axes.get_window_extent().height * axes.figure.dpi * 0.6),
        ncols=4,
        frameon=False,
        fontsize=_style.SMALL,
    )
    return axes
