"""The pictures of the report as SVG that follows the page's colours, light or dark."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from .files import Table
from .fitting import Candidates
from .recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito's colours, apart also for the colour-blind, with a marker each for grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1", "#808080")
_MARKERS = "os^DvPX*"
# A colour that the page replaces by its own.
_INK = "#010203"
_STYLE: Any = {
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "mixpyro",
    "text.parse_math": False,  # a column may be called $x$
}
_SIZE = (4.4, 3.3)
_MOST = 3000


def figures(found: Candidates, recipe: Recipe, table: Table, resp: np.ndarray) -> list[dict]:
    """``{"title", "text", "svg"}`` of every picture that there is something for."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawn = []
    with mpl.rc_context(_STYLE):
        for title, words, draw in (
            ("Classes", "Rows by their most probable class.", _clusters),
            ("Profiles", "Means by class, in standard deviations from the mean of all.", _profiles),
            ("How many", "Each candidate by its criterion; lower is better.", _criteria),
            ("Convergence", "What is left of the climb at each step, log scale.", _climb),
            ("Restarts", "How far from the best every start ended.", _restarts),
            ("How sure", "Rows by the probability of their class.", _sureness),
        ):
            figure = Figure(figsize=_SIZE, layout="constrained")
            if draw(figure, found, recipe, table, resp):
                drawn.append({"title": title, "text": words, "svg": _svg(figure, title)})
    return drawn


def _clusters(figure: Figure, found: Any, recipe: Recipe, table: Table, resp: np.ndarray) -> bool:
    numbers = [(c.name, c.codes(table)) for c in recipe.columns if not c.categories]
    axes = figure.subplots()
    label = resp.argmax(1)
    if not numbers:
        return False
    if len(numbers) == 1:
        name, x = numbers[0]
        x_bins = np.histogram_bin_edges(x[~np.isnan(x)], "auto").tolist()
        parts = [x[(label == j) & ~np.isnan(x)] for j in range(resp.shape[1])]
        axes.hist(parts, x_bins, stacked=True, color=[_colour(j) for j in range(len(parts))])
        axes.set(xlabel=name, ylabel="rows")
        return True
    # The two columns along which the classes lie furthest apart, in the order of the file.
    apart = [_between(x, resp) for _, x in numbers]
    first, second = sorted(np.argsort(apart)[::-1][:2])
    (x_name, x), (y_name, y) = numbers[first], numbers[second]
    rows = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
    if len(rows) > _MOST:
        rows = np.random.default_rng(0).choice(rows, _MOST, replace=False)
    for j in range(resp.shape[1]):
        own = rows[label[rows] == j]
        axes.scatter(
            x[own],
            y[own],
            s=16,
            color=_colour(j),
            marker=_MARKERS[j % 8],
            alpha=0.75,
            linewidths=0,
            label=f"class {j}",
            rasterized=len(rows) > 1000,
        )
    axes.set(xlabel=x_name, ylabel=y_name)
    if resp.shape[1] > 1:
        axes.legend(fontsize=8)
    return True


def _profiles(figure: Figure, found: Any, recipe: Recipe, table: Table, resp: np.ndarray) -> bool:
    rows = []
    for c in recipe.columns:
        values = c.codes(table)
        there = ~np.isnan(values)
        entries = (
            [(c.name, values)]
            if len(c.categories) < 3
            else [
                (f"{c.name} = {v}", np.where(there, values == i, np.nan))
                for i, v in enumerate(c.categories)
            ]
        )
        for name, entry in entries:
            spread = np.nanstd(entry) or 1.0
            with np.errstate(invalid="ignore"):
                means = (resp[there].T @ entry[there]) / resp[there].sum(0)
            rows.append((name, (means - np.nanmean(entry)) / spread))
    if resp.shape[1] < 2:
        return False
    rows.sort(key=lambda row: -np.ptp(row[1]))
    rows = rows[:20]
    figure.set_size_inches(_SIZE[0], max(1.6 + 0.24 * len(rows), 2.2))
    axes = figure.subplots()
    for j in range(resp.shape[1]):
        axes.plot(
            [means[j] for _, means in rows],
            range(len(rows)),
            _MARKERS[j % 8],
            color=_colour(j),
            ms=6,
            label=f"class {j}",
        )
    axes.set_yticks(
        range(len(rows)), [name if len(name) < 26 else name[:24] + "…" for name, _ in rows]
    )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.axvline(0, color=_INK, lw=0.6)
    axes.grid(axis="y", color=_INK, alpha=0.15)
    axes.set_xlabel("standard deviations from the mean")
    axes.legend(fontsize=8)
    return True


def _criteria(figure: Figure, found: Candidates, *_: Any) -> bool:
    table = found.table
    if "num_components" not in table or table["num_components"].nunique() < 2:
        return False
    axes = figure.subplots()
    best = table.loc[found.chosen]
    by = [None] if "covariance" not in table else list(dict.fromkeys(table["covariance"]))
    for name in by:
        part = table if name is None else table[table["covariance"] == name]
        mine = name is None or name == best["covariance"]
        axes.plot(
            part["num_components"],
            part[found.criterion],
            "o-" if mine else "-",
            ms=4,
            color=COLOURS[0] if mine else "#909090",
            lw=1.8 if mine else 0.8,
            label=name if mine else None,
            zorder=3 if mine else 1,
        )
    bad = table[table["status"] != "CONVERGED"]
    axes.plot(
        bad["num_components"],
        bad[found.criterion],
        "x",
        color=COLOURS[1],
        ms=6,
        label="not sound" if len(bad) else None,
        zorder=4,
    )
    axes.plot(
        best["num_components"],
        best[found.criterion],
        "o",
        ms=11,
        mfc="none",
        mec=COLOURS[0],
        zorder=5,
    )
    axes.set(xlabel="components", ylabel=found.criterion.upper())
    axes.locator_params(axis="x", integer=True)
    if by != [None] or len(bad):
        axes.legend(fontsize=8)
    return True


def _climb(figure: Figure, found: Candidates, *_: Any) -> bool:
    rest = found.fit.trace[-1] - found.fit.trace[:-1]
    steps = np.flatnonzero(rest > 0)
    if len(steps) < 2:
        return False
    axes = figure.subplots()
    axes.semilogy(steps + 1, rest[steps], "o-", ms=3, color=COLOURS[0])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")  # powers would need mathtext
    axes.set(xlabel="step", ylabel="log-likelihood still to gain")
    return True


def _restarts(figure: Figure, found: Candidates, *_: Any) -> bool:
    objective = np.sort(np.asarray(found.fit.restart_results.objective, float))[::-1]
    objective = objective[np.isfinite(objective)]
    if len(objective) < 2:
        return False
    axes = figure.subplots()
    axes.plot(
        range(1, len(objective) + 1), objective - found.fit.objective, "o", ms=4, color=COLOURS[0]
    )
    axes.axhline(0, color=_INK, lw=0.6)
    axes.set(xlabel="start, best first", ylabel="objective minus the chosen one")
    return True


def _sureness(figure: Figure, found: Any, recipe: Any, table: Any, resp: np.ndarray) -> bool:
    if resp.shape[1] < 2:
        return False
    axes = figure.subplots()
    axes.hist(resp.max(1), np.linspace(0, 1, 21).tolist(), color=COLOURS[0])
    axes.set(xlabel="probability of the most probable class", ylabel="rows", xlim=(0, 1))
    return True


def _between(x: np.ndarray, resp: np.ndarray) -> float:
    """How much of a column's variance lies between classes."""
    there = ~np.isnan(x)
    w, x = resp[there], x[there]
    size = np.maximum(w.sum(0), 1e-12)
    means = w.T @ x / size
    return float((size @ (means - x.mean()) ** 2) / max(np.sum((x - x.mean()) ** 2), 1e-300))


def _colour(j: int) -> str:
    return COLOURS[j % len(COLOURS)]


def _svg(figure: Figure, title: str) -> str:
    from html import escape

    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # The page gives the width; names of two pictures must not meet.
    text = re.sub(r'<svg ([^>]*?)width="[^"]*" ', r"<svg \1", text, count=1)
    text = re.sub(r'(<svg [^>]*?)height="[^"]*" ', r"\1", text, count=1)
    mark = re.sub(r"\W", "", title)
    text = re.sub(r'\bid="', f'id="{mark}-', text)
    text = re.sub(r'href="#', f'href="#{mark}-', text)
    text = text.replace("url(#", f"url(#{mark}-")
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
