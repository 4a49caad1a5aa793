"""A criterion against what was swept over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from . import _style

if TYPE_CHECKING:
    from ..em import Sweep


def sweep(found: Sweep, ax: Axes | None = None, criterion: str = "bic") -> Axes:
    """One line a combination of the other keywords (see `Sweep.plot`)."""
    best = found.best(criterion)  # which also refuses an unknown criterion
    keywords = list(found.keywords[0])
    numeric = [n for n in keywords if all(_is_number(k[n]) for k in found.keywords)]
    over = max(numeric or keywords, key=lambda n: len({k[n] for k in found.keywords}))
    others = [n for n in keywords if n != over]
    axes = _style.one(ax)
    value = found.values(criterion)
    value = np.where(np.isfinite(value), value, np.nan)
    ok = np.array([fit.status.ok for fit in found.fits])
    levels = list(dict.fromkeys(k[over] for k in found.keywords))
    place = np.array(
        [k[over] if over in numeric else levels.index(k[over]) for k in found.keywords], float
    )
    lines = list(dict.fromkeys(tuple(str(k[n]) for n in others) for k in found.keywords))
    for number, line in enumerate(lines):
        own = [i for i, k in enumerate(found.keywords) if tuple(str(k[n]) for n in others) == line]
        colour, marker, dash = _style.style(number)
        label = ", ".join(line) or None
        axes.plot(place[own], value[own], color=colour, ls=dash, lw=1.4, zorder=1)
        axes.plot([], [], color=colour, ls=dash, marker=marker, ms=5, label=label)
        for fine in (True, False):
            some = [i for i in own if ok[i] == fine]
            axes.plot(
                place[some],
                value[some],
                ls="",
                marker=marker,
                ms=5,
                color=colour,
                markerfacecolor=colour if fine else "white",
                zorder=2,
            )
    winner = next(i for i, fit in enumerate(found.fits) if fit is best)
    label = f"best: {', '.join(str(v) for v in found.keywords[winner].values())}"
    axes.plot(
        place[winner], value[winner], "o", ms=13, color=_style.INK, markerfacecolor="none",
        label=label,
    )  # fmt: skip
    if not ok.all():
        axes.plot([], [], "o", color=_style.INK, markerfacecolor="white", label="status not ok")
    if over in numeric:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.set_xticks(range(len(levels)), [str(v) for v in levels])
    axes.legend(fontsize=_style.SMALL, frameon=False, ncols=1 + len(lines) // 8)
    higher = {"log_likelihood": "log-likelihood", "relative_entropy": "relative entropy"}
    word = higher.get(criterion, criterion.upper())
    lower = "" if criterion in higher else " (lower is better)"
    return _style.finish(axes, x=over, y=word + lower)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
