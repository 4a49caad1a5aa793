"""The pictures of the report: those of `mixpyro.plots`, as SVG in the page's own colours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from ..em.report.columns import Columns, columns_of
from ..em.report.of_data.observed import COUNT, NUMBER
from ..plots import sweep
from .fitting import Candidates
from .recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..em import Fit
    from ..plots import FitPlots

_STYLE: Any = {
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "mixpyro",
    "text.parse_math": False,  # a column may be called $x$
}
# A picture of one panel, in inches: legible at the width of a telephone.
_ONE = (4.4, 3.3)
_Picture = tuple[str, str, Callable[[], Any]]


def figures(found: Candidates, recipe: Recipe, shown: Fit | None = None) -> list[dict]:
    """``{"title", "text", "svg", "broad"}`` of every picture that there is something for.

    ``shown`` has the rows of those that look at rows, if the fit has them not in memory.
    A picture that `mixpyro.plots` refuses has its sentence for a text, and no ``svg``.
    """
    import matplotlib as mpl

    mpl.use("agg")  # nothing is shown
    import matplotlib.pyplot as plt

    from ..plots import _style as style

    ink = dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), style.INK
    )
    colours = dict.fromkeys([style.INK], "currentColor") | {
        style.QUIET: "var(--soft)",
        style.FILL: "var(--fill)",
        style.EDGE: "var(--edge)",
        style.PAPER: "var(--card)",
        **{c.lower(): f"var(--class-{i})" for i, c in enumerate(style.COLOURS)},
    }
    drawn = []
    with mpl.rc_context(_STYLE | ink):
        for title, words, draw in _pictures(found, recipe, shown or found.fit):
            picture = {"title": title, "text": words, "svg": "", "broad": False}
            try:
                draw()
            except ValueError as error:
                picture["text"] = f"Not drawn: {error}"
            else:
                figure = plt.gcf()
                picture["broad"] = len([a for a in figure.axes if a.axison]) > 1
                if not picture["broad"]:
                    figure.set_size_inches(_ONE)
                picture["svg"] = _svg(figure, title, colours)
            finally:
                plt.close("all")
            drawn.append(picture)
    return drawn


def _pictures(found: Candidates, recipe: Recipe, shown: Fit) -> Iterator[_Picture]:
    """What this fit has something to show for: title, words, and how it is drawn."""
    fit = found.fit
    try:
        table: Columns | None = columns_of(shown)
    except ValueError:  # observations that are no columns
        table = None
    if table is not None:
        yield from _of_data(shown, table, _named(shown, table, recipe))
    if len(found.table) > 1:
        words = "Each candidate by its criterion, the best ringed."
        yield "How many", words, lambda: _tried(found)
    if len(fit.trace) > 1:
        yield "Convergence", "The objective after each step.", lambda: fit.plot.objective()
    if len(fit.restart_results.objective) > 1:
        yield "Restarts", "How far from the best every start ended.", lambda: fit.plot.restarts()


def _tried(found: Candidates) -> None:
    table, by = found.table, found.criterion
    value, ok = table[by].to_numpy(float), (table["status"] == "CONVERGED").to_numpy()
    sweep.candidates(found.cells, value, ok, found.chosen, criterion=by)


def _of_data(fit: Fit, table: Columns, plot: FitPlots) -> Iterator[_Picture]:
    numeric = sum(kind in (NUMBER, COUNT) for kind in table.kinds)
    chain, several = fit.program.structure.chain is not None, len(table.classes) > 1
    if numeric > 1:
        yield "Classes", "Rows by their most probable class.", lambda: plot.clusters(most=2)
    if chain:
        yield "States", "The first sequence by its decoded states.", lambda: plot.states()
    if numeric:
        words = "What was observed (grey), and what the mixture and its classes make of it."
        yield "Densities", words, lambda: plot.density(most=4)
    if several:
        words = "What the classes are like, with 95% intervals where there are some."
        yield "Profiles", words, lambda: plot.profiles(most=12)
    if COUNT in table.kinds:
        words = "Counts hang from what the mixture expects; bars should end at 0."
        yield "Counts", words, lambda: plot.rootogram(most=4)
    if several:
        yield "How sure", "Rows from the surest to the least.", lambda: plot.uncertainty()


def _named(fit: Fit, table: Columns, recipe: Recipe) -> FitPlots:
    """The pictures of a fit with the names that stand in the file."""
    given = recipe.columns
    two = [len(c.categories) == 2 for c in given]
    called = [
        f"{c.name} = {c.categories[1]}" if b else c.name for c, b in zip(given, two, strict=True)
    ]
    sites = recipe.arguments[0].form == "columns"  # sites are called as their columns are
    if sites:
        by_site = {c.name: word for c, word in zip(given, called, strict=True)}
        called = [by_site.get(name, name) for name in table.names]
    if len(called) != len(table.names):  # a model of one's own
        return fit.plot
    categories = {c.name: c.categories for c in given if len(c.categories) > 2}
    return fit.plot(columns=called, categories=categories)


def _svg(figure: Figure, title: str, colours: dict[str, str]) -> str:
    """The picture as an element of the page: colours and names are the page's, its width too."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = text[text.index("<svg") :]
    width = re.search(r'<svg [^>]*?viewBox="0 0 ([\d.]+)', text)
    assert width is not None
    mark = re.sub(r"\W", "", title)

    def own(tag: re.Match[str]) -> str:
        made = re.sub(r"#[0-9a-f]{6}\b", lambda c: colours.get(c[0], c[0]), tag[0])
        made = re.sub(r'\bid="', f'id="{mark}-', made)
        made = re.sub(r'href="#', f'href="#{mark}-', made)
        return made.replace("url(#", f"url(#{mark}-")

    # Only within tags: what stands between them are names from the data.
    text = re.sub(r"<[^>]*>", own, text)
    text = re.sub(r'(<svg [^>]*?)\bwidth="[^"]*" ', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?)\bheight="[^"]*" ', r"\1", text, count=1)
    start = f'<svg role="img" aria-label="{escape(title)}" style="--wide: {float(width[1]):.0f}px" '
    return text.replace("<svg ", start, 1)
