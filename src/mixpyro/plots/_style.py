"""How pictures look: classes by colour, marker and line, panels, quiet axes."""

from __future__ import annotations

from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

# The first three are Tol's high-contrast scheme, told apart by the colour-blind and in grey; where
# that does not do, markers and lines differ too.
COLOURS = (
    "#004488",
    "#DDAA33",
    "#BB5566",
    "#66AADD",
    "#117733",
    "#AA4499",
    "#888888",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "p")
LINES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (5, 1, 1, 1)),
    (0, (3, 1, 1, 1, 1, 1)),
)
# Lines and words; what stands back; areas of what was observed and their edges; the ground.
INK, QUIET, FILL, EDGE, PAPER = "#222222", "#8c8c8c", "#dbdbdb", "#bfbfbf", "#ffffff"
WARNING = "#b3261e"
# Words on an area of their own, whatever the ground.
ON_DARK, ON_LIGHT = "#fdfdfd", "#111111"
SMALL = 8


class Style(NamedTuple):
    """What one class is drawn with."""

    color: str
    marker: str
    line: Any


def style(number: int) -> Style:
    """The colour, marker and line of a class."""
    return Style(
        COLOURS[number % len(COLOURS)],
        MARKERS[number % len(MARKERS)],
        LINES[number % len(LINES)],
    )


def one(ax: Axes | None, size: tuple[float, float] = (6.4, 4.2)) -> Axes:
    """The axes to draw into: the given ones, or those of a new figure."""
    if ax is None:
        return plt.subplots(figsize=size, layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise ValueError(f"ax must be one matplotlib Axes for this picture, not {_described(ax)}")
    return ax


def panels(
    ax: Any, rows: int, columns: int, size: tuple[float, float] = (3.2, 2.6), **options: Any
) -> np.ndarray:
    """(rows, columns) of axes: of a new figure, or the given ones.

    Raises:
        ValueError: other axes than the picture needs.
    """
    if ax is None:
        shape = (max(size[0] * columns, 4.6), max(size[1] * rows, 3.2))
        return plt.subplots(
            rows, columns, figsize=shape, layout="constrained", squeeze=False, **options
        )[1]
    given = np.atleast_1d(np.asarray(ax, object)).ravel()
    if given.size != rows * columns or not all(isinstance(a, Axes) for a in given):
        wanted = (
            "one matplotlib Axes"
            if rows * columns == 1
            else f"an array of {rows} x {columns} matplotlib Axes (plt.subplots({rows}, {columns}))"
        )
        raise ValueError(f"ax must be {wanted} for this picture, not {_described(ax)}")
    return given.reshape(rows, columns)


def grid_shape(number: int, most: int = 3) -> tuple[int, int]:
    """Rows and columns of so many panels."""
    columns = min(number, most)
    return -(-number // columns), columns


def alone(axes: np.ndarray) -> Any:
    """The axes themselves if there is but one."""
    return axes.item() if axes.size == 1 else axes


def finish(ax: Axes, title: str = "", x: str = "", y: str = "") -> Axes:
    """Labels, and no frame where nothing is read off."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL)
    if title:
        ax.set_title(title, fontsize=10)
    if x:
        ax.set_xlabel(x, fontsize=9)
    if y:
        ax.set_ylabel(y, fontsize=9)
    return ax


def _described(ax: Any) -> str:
    return f"an array of shape {np.shape(ax)}" if np.ndim(ax) else f"a {type(ax).__name__}"
