"""How the climb went: the objective step by step, and where the starts ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from ..em.climb.status import Status
from ..em.report.words import SAME
from . import _style
from ._shown import Names

if TYPE_CHECKING:
    from ..em import Fit


def objective(fit: Fit, names: Names, ax: Any = None, label: str | None = None) -> Any:
    """The trace (see `FitPlots.objective`)."""
    axes = _style.one(ax)
    number = len(axes.get_lines())
    colour, marker, line = _style.style(number)
    trace = np.asarray(fit.trace, float)
    marks: dict[str, Any] = {"marker": marker, "ms": 3} if len(trace) <= 100 else {}
    steps = np.arange(1, len(trace) + 1)
    axes.plot(steps, trace, color=colour, ls=line, lw=1.4, label=label, **marks)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if label is not None:
        axes.legend(fontsize=_style.SMALL, frameon=False)
    word = "log posterior density" if fit.program.posterior else "log-likelihood"
    if fit.labels is not None:
        word = f"{word} of the classification"
    # Several fits in one picture may have climbed different objectives.
    other = axes.get_ylabel() not in ("", word)
    return _style.finish(axes, x="step", y="objective" if other else word)


def restarts(fit: Fit, names: Names, ax: Any = None) -> Any:
    """Where the starts ended (see `FitPlots.restarts`)."""
    found = fit.restart_results
    value = np.asarray(found.objective, float)
    axes = _style.one(ax)
    finite = np.isfinite(value)
    order = [int(i) for i in found.ranking if finite[i]]
    rank = {start: place for place, start in enumerate(order, 1)}
    # Ends of one peak differ by rounding: all stand on the lowest line of a logarithmic axis, and
    # so do those that are higher than the chosen one and unsound.
    below = np.maximum(value[found.chosen] - np.where(finite, value, -np.inf), SAME)
    for code in dict.fromkeys(int(found.status[i]) for i in order):
        own = [i for i in order if found.status[i] == code]
        fine = Status(code).ok
        colour, marker, _ = _style.style(0 if fine else 1 + code % 6)
        axes.plot(
            [rank[i] for i in own],
            below[own],
            ls="",
            marker=marker,
            ms=6,
            color=colour,
            markerfacecolor=colour if fine else "none",
            label=Status(code).name,
        )
    if found.chosen in rank:
        place = rank[int(found.chosen)]
        axes.plot(place, SAME, "o", ms=13, markerfacecolor="none", color=_style.INK, label="chosen")
        axes.legend(fontsize=_style.SMALL, frameon=False)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(SAME / 2, 2 * max(below[order], default=SAME) + 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    lost = len(value) - len(order)
    title = f"{lost} of {len(value)} starts ended without a finite objective" if lost else ""
    y = f"objective below the chosen one\n({SAME:g}: no more than that)"
    return _style.finish(axes, title, "starts, from the best", y)
