"""A chain: the series in its decoded states, and how sure these are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from ..em.report.marginals import means
from . import _style
from ._shown import Names, chosen, few_classes, shown

if TYPE_CHECKING:
    from ..em import Fit

# Steps of a chain whose points are marked.
_MARKED = 400


def states(
    fit: Fit, names: Names, ax: Any = None, column: Any = None, sequence: int = 0
) -> np.ndarray:
    """Two panels over time (see `FitPlots.states`)."""
    chain, structure = fit.program.structure.chain, fit.program.structure
    if chain is None:
        raise ValueError(
            "states are of a chain (a hidden Markov model), and the rows of this fit have no "
            "order; fit.plot.clusters() or fit.plot.uncertainty() show their classes"
        )
    if not isinstance(sequence, int | np.integer) or not 0 <= sequence < chain.number:
        raise ValueError(
            f"sequence must be a whole number from 0 to {chain.number - 1}, not {sequence!r}"
        )
    table = shown(fit, names)
    few_classes(table)
    (place, *_) = chosen(table, column, range(len(table.names)), 1)
    axes = _style.panels(ax, 2, 1, (7.5, 2.3), **({"sharex": True} if ax is None else {}))
    upper, lower = axes.ravel()
    k = len(table.classes)
    decoded = fit.decode()
    by_name = decoded if isinstance(decoded, dict) else {structure.latent.name: decoded}
    classes = {n: np.asarray(v) for n, v in structure.classes(np.arange(k)).items()}
    path = np.zeros(chain.length, int)
    for j in range(k):
        same = [
            np.asarray(by_name[n]).reshape(chain.length, -1)[:, sequence] == classes[n][j]
            for n in by_name
        ]
        path[np.logical_and.reduce(same)] = j
    time = np.arange(chain.length)
    values = table.values[place].reshape(chain.length, chain.number)[:, sequence]
    resp = table.responsibilities.reshape(chain.length, chain.number, k)[:, sequence]
    level = means(fit, table)[0][:, place]
    _series(upper, time, values, path, level, table.classes)
    bottom = np.zeros(chain.length)
    for j in range(k):
        colour = _style.style(j).color
        lower.fill_between(
            time, bottom, bottom + resp[:, j], step="mid", color=colour, lw=0, alpha=0.85
        )
        bottom = bottom + resp[:, j]
    lower.set_ylim(0, 1)
    _style.finish(upper, y=table.names[place])
    _style.finish(lower, x="time", y="probability of\nthe state")
    return axes.ravel()


def _series(
    ax: Axes,
    time: np.ndarray,
    values: np.ndarray,
    path: np.ndarray,
    level: np.ndarray,
    names: tuple[str, ...],
) -> None:
    """The series, each step marked by its state, over the mean of the decoded states."""
    ax.plot(time, values, color=_style.EDGE, lw=0.8, zorder=1)
    ax.step(time, level[path], where="mid", color=_style.INK, lw=1, zorder=2)
    small = len(time) > _MARKED
    for j, name in enumerate(names):
        colour, marker, _ = _style.style(j)
        own = path == j
        ax.plot(
            time[own],
            values[own],
            ls="",
            marker=marker,
            ms=2.5 if small else 4,
            color=colour,
            label=name,
            zorder=3,
        )
    ax.legend(
        fontsize=_style.SMALL,
        frameon=False,
        ncols=min(len(names), 6),
        loc="lower left",
        bbox_to_anchor=(0, 1),
    )
