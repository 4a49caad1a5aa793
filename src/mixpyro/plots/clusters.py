"""Rows as points, by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy import stats

from ..em.report.columns import Columns
from ..em.report.ellipses import Ellipses, ellipses
from ..em.report.of_data.observed import CATEGORY, COUNT, NUMBER
from . import _style
from ._shown import Names, chosen, few_classes, of_places, part_of, shown, some_rows
from .density import draw_density

if TYPE_CHECKING:
    from ..em import Fit

# Rows whose most probable class has less than this are drawn hollow.
SURE = 0.8
MASSES = (0.5, 0.95)
_GRID = 150


def clusters(fit: Fit, names: Names, ax: Any = None, columns: Any = None, most: int = 5) -> Any:
    """Two columns against each other, or all pairs of several (see `FitPlots.clusters`)."""
    table = shown(fit, names)
    among = of_places(table, (NUMBER, COUNT))
    if len(among) < 2:
        if CATEGORY in table.kinds:
            raise ValueError(
                "clusters are of two or more columns of numbers, and this fit's are categories; "
                "fit.plot.profiles() shows what each class answers"
            )
        raise ValueError(
            "clusters are of two or more columns, and this fit has one; fit.plot.density() shows "
            "it by class"
        )
    few_classes(table)
    places = chosen(table, columns, among, most)
    if len(places) < 2:
        said = f"most={most!r} leaves" if columns is None else f"columns={columns!r} names"
        raise ValueError(f"clusters need two columns or more; {said} one")
    found = ellipses(fit, table)
    if len(places) == 2:
        single = _style.one(ax, (5.6, 4.6))
        _pair(single, fit, table, found, places[0], places[1])
        single.legend(handles=_handles(table), fontsize=_style.SMALL, frameon=False)
        # In small letters, or it would be wider than the picture.
        single.set_title(part_of(places, among, columns), fontsize=_style.SMALL)
        return _style.finish(single, x=table.names[places[0]], y=table.names[places[1]])
    size = len(places)
    axes = _style.panels(ax, size, size, (2.1, 1.9))
    for row, i in enumerate(places):
        for column, j in enumerate(places):
            here = axes[row, column]
            if column > row:
                here.set_axis_off()
            elif column == row:
                draw_density(here, fit, table, i)
            else:
                _pair(here, fit, table, found, j, i)
            last, first = row == size - 1, column == 0 and row > 0
            _style.finish(here, x=table.names[j] if last else "", y=table.names[i] if first else "")
    part = part_of(places, among, columns)
    handles = [Line2D([], [], ls="", label=part)] if part else []
    axes[0, -1].legend(
        handles=_handles(table) + handles, loc="upper right", fontsize=_style.SMALL, frameon=False
    )
    return axes


def _pair(ax: Axes, fit: Fit, table: Columns, found: Ellipses, i: int, j: int) -> None:
    rows = some_rows(len(table.weights))
    rows = rows[table.weights[rows] > 0]
    x, y, resp = table.values[i][rows], table.values[j][rows], table.responsibilities[rows]
    best, sure = resp.argmax(1), resp.max(1) >= SURE
    for k in range(len(table.classes)):
        colour, marker, _ = _style.style(k)
        for filled in (True, False):
            own = (best == k) & (sure == filled)
            ax.scatter(
                x[own],
                y[own],
                s=14,
                marker=marker,
                linewidths=0 if filled else 0.8,
                alpha=0.65 if filled else 1,
                facecolors=colour if filled else "none",
                edgecolors=colour,
                label=f"_{table.classes[k]}",
            )
    _boundary(ax, fit, table, i, j)
    for k in range(len(table.classes)):
        pair = found.of(k, i, j)
        if pair is None:
            continue
        loc, matrix, df = pair
        for mass in MASSES:
            ax.plot(*ellipse(loc, matrix, df, mass), color=_style.style(k).color, lw=1.4)
        ax.plot(*loc, "+", color=_style.INK, ms=8)


def ellipse(loc: np.ndarray, matrix: np.ndarray, df: float, mass: float) -> np.ndarray:
    """(2, 200) the line of equal density that encloses so much of a normal or Student's t.

    ``(x - loc)' matrix^-1 (x - loc) / 2`` has an F law of 2 and df degrees of freedom.
    """
    f = stats.chi2.ppf(mass, 2) / 2 if np.isinf(df) else stats.f.ppf(mass, 2, df)
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    values, axes = np.linalg.eigh(matrix)
    return loc[:, None] + np.sqrt(2 * f) * (axes * np.sqrt(np.maximum(values, 0))) @ circle


def _boundary(ax: Axes, fit: Fit, table: Columns, i: int, j: int) -> None:
    """Where the most probable class changes: where the two columns are all that a row has."""
    arrays, n = fit.call.arrays, len(table.weights)
    alone = len(table.names) == 2 and len(fit.program.structure.data) == 1
    plain = fit.program.structure.chain is None and not fit.program.structure.latent.labels
    k = len(table.classes)
    if not (alone and plain and k > 1 and len(arrays) == 1 and arrays[0].shape == (n, 2)):
        return
    sides = []
    for place in (i, j):
        low, high = np.nanmin(table.values[place]), np.nanmax(table.values[place])
        sides.append(np.linspace(low - 0.06 * (high - low), high + 0.06 * (high - low), _GRID))
    grid = np.stack(np.meshgrid(*sides), -1).reshape(-1, 2)
    ordered = grid if (i, j) == (0, 1) else grid[:, ::-1]
    try:
        resp = np.asarray(fit.responsibilities(ordered.astype(arrays[0].dtype)), float)
    except ValueError:  # points outside of the support
        return
    resp = resp.reshape(_GRID, _GRID, k)
    for own in range(k if k > 2 else 1):
        lead = resp[..., own] - np.delete(resp, own, -1).max(-1)
        if lead.min() < 0 < lead.max():
            ax.contour(
                *sides, lead, levels=[0.0], colors=_style.INK, linestyles="--", linewidths=0.9
            )


def _handles(table: Columns) -> list[Line2D]:
    handles = []
    for k, name in enumerate(table.classes):
        colour, marker, _ = _style.style(k)
        handles.append(Line2D([], [], ls="", color=colour, marker=marker, ms=5, label=name))
    if (table.responsibilities.max(1) < SURE).any():
        hollow: dict[str, Any] = {"markerfacecolor": "none", "marker": "o", "ms": 5}
        handles.append(
            Line2D([], [], ls="", label=f"hollow: below {SURE:g} sure", color=_style.INK, **hollow)
        )
    return handles
