"""A criterion against what was swept over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from . import _style

if TYPE_CHECKING:
    from ..em import Sweep


def sweep(found: Sweep, ax: Axes | None = None, criterion: str = "bic") -> Axes:
    """One line a combination of the other keywords (see `Sweep.plot`)."""
    winner = found.winner(criterion)  # which also refuses an unknown criterion
    return candidates(found.keywords, found.values(criterion), found.ok, winner, ax, criterion)


def candidates(
    every: Sequence[Mapping[str, Any]],
    value: np.ndarray,
    ok: np.ndarray,
    winner: int,
    ax: Axes | None = None,
    criterion: str = "bic",
) -> Axes:
    """The same of fits by their keywords: the criterion (n,), what is ok (n,), and the best."""
    keywords = list(every[0])
    numeric = [n for n in keywords if all(_is_number(k[n]) for k in every)]
    over = max(numeric or keywords, key=lambda n: len({k[n] for k in every}))
    others = [n for n in keywords if n != over]
    axes = _style.one(ax)
    value = np.where(np.isfinite(value), value, np.nan)
    levels = list(dict.fromkeys(k[over] for k in every))
    place = np.array([k[over] if over in numeric else levels.index(k[over]) for k in every], float)
    lines = list(dict.fromkeys(tuple(str(k[n]) for n in others) for k in every))
    leader = tuple(str(every[winner][n]) for n in others)
    # More lines than there are colours cannot be told apart: that of the best stands out.
    crowd = len(lines) > len(_style.COLOURS)
    for number, line in enumerate(lines):
        own = [i for i, k in enumerate(every) if tuple(str(k[n]) for n in others) == line]
        colour, marker, dash = _style.style(number)
        if crowd:
            colour, marker, dash = _style.style(0)
        if crowd and line != leader:
            colour = _style.QUIET
        size = 3 if colour == _style.QUIET else 5
        axes.plot(place[own], value[own], color=colour, ls=dash, lw=0.28 * size, zorder=1)
        if not crowd or line == leader:
            label = ", ".join(line) or None
            axes.plot([], [], color=colour, ls=dash, marker=marker, ms=5, label=label)
        for fine in (True, False):
            some = [i for i in own if ok[i] == fine]
            axes.plot(
                place[some],
                value[some],
                ls="",
                marker=marker,
                ms=size,
                color=colour,
                markerfacecolor=colour if fine else _style.PAPER,
                zorder=2,
            )
    if crowd:
        axes.plot([], [], color=_style.QUIET, marker="o", ms=3, label=f"{len(lines) - 1} others")
    label = f"best: {', '.join(str(v) for v in every[winner].values())}"
    axes.plot(
        place[winner], value[winner], "o", ms=13, color=_style.INK, markerfacecolor="none",
        label=label,
    )  # fmt: skip
    if not ok.all():
        axes.plot(
            [], [], "o", color=_style.INK, markerfacecolor=_style.PAPER, label="status not ok"
        )
    if over in numeric:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.set_xticks(range(len(levels)), [str(v) for v in levels])
    axes.legend(fontsize=_style.SMALL, frameon=False)
    higher = {"log_likelihood": "log-likelihood", "relative_entropy": "relative entropy"}
    word = higher.get(criterion, criterion.upper())
    lower = "" if criterion in higher else " (lower is better)"
    return _style.finish(axes, x=over, y=word + lower)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
