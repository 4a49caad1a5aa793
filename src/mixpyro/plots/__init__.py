"""Pictures: ``fit.plot.clusters()`` and the like, one a file; matplotlib is imported by them alone.

Each takes ``ax=`` (or makes a figure of its own), draws, and returns its axes: nothing is shown or
saved. Classes differ in marker and line as well as in colour, so that they are told apart in grey.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..em.report.precision import in_own_precision
from ._shown import Names

if TYPE_CHECKING:
    import numpy as np
    from arviz_plots import PlotCollection
    from matplotlib.axes import Axes
    from xarray import DataTree

    from ..em import Fit

    Panels = Axes | np.ndarray

__all__ = ["FitPlots"]


@in_own_precision(lambda pictures: pictures._fit)
class FitPlots:
    """The pictures of one fit: ``fit.plot.density()``.

    Columns are called as those of the frame that was fitted, else by their site. Calling it gives
    other names: ``fit.plot(columns=["length", "wait"], classes=["short", "long"]).clusters()``.
    Where a picture chooses columns, ``columns`` takes names or places; of more than ``most``
    columns those are drawn that differ most between the classes, and the picture says so.
    """

    def __init__(self, fit: Fit, names: Names = Names()) -> None:  # noqa: B008  (it is frozen)
        self._fit, self._names = fit, names

    def __call__(
        self,
        *,
        columns: Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        categories: Mapping[str, Sequence[Any]] | None = None,
    ) -> FitPlots:
        """The same pictures with other names of columns and classes, in their order.

        ``categories`` are those of columns: ``{"town": ["north", "south", "east"]}``.
        """
        old = self._names
        columns = old.columns if columns is None else columns
        classes = old.classes if classes is None else classes
        found = old.categories if categories is None else categories
        called = {name: tuple(map(str, values)) for name, values in found.items()}
        names = Names(tuple(map(str, columns)), tuple(map(str, classes)), called)
        return FitPlots(self._fit, names)

    def __repr__(self) -> str:
        return "pictures of a fit: " + ", ".join(n for n in dir(self) if not n.startswith("_"))

    def clusters(self, ax: Any = None, *, columns: Any = None, most: int = 5) -> Panels:
        """The rows as points by their most probable class, one column against another.

        Hollow points are less than 80% sure. Where the classes are normal or Student's t, ellipses
        hold 50% and 95% of each; where two columns are all there is, a dashed line shows where the
        most probable class changes. More than two columns: all pairs, densities on the diagonal;
        ``ax`` is then an array of d x d axes.

        Raises:
            ValueError: fewer than two columns of numbers or counts, or too many classes.
        """
        from .clusters import clusters

        return clusters(self._fit, self._names, ax, columns, most)

    def density(self, ax: Any = None, *, columns: Any = None, most: int = 9) -> Panels:
        """Each column's histogram (or proportions), under the mixture and each class's part.

        Where covariates move the classes' laws, both are averaged over the rows.

        Raises:
            ValueError: vectors whose single coordinates have no known law.
        """
        from .density import density

        return density(self._fit, self._names, ax, columns, most)

    def profiles(
        self,
        ax: Any = None,
        *,
        columns: Any = None,
        level: float | None = 0.95,
        most: int = 40,
    ) -> Panels:
        """What the classes are: the mean of each column, the share of each category, by class.

        Numbers are in standard deviations from the overall mean where there are several columns;
        binary items by the probability of 1; both with intervals of ``level`` by the delta method
        (None: without). Items of more categories are stacked bars, one panel a class.

        Raises:
            ValueError: a law without a mean, or too many classes.
        """
        from .profiles import profiles

        return profiles(self._fit, self._names, ax, columns, level, most)

    def uncertainty(self, ax: Axes | None = None) -> Axes:
        """The rows from the surest to the least sure: 1 - probability of the row's class."""
        from .uncertainty import uncertainty

        return uncertainty(self._fit, self._names, ax)

    def states(self, ax: Any = None, *, column: Any = None, sequence: int = 0) -> np.ndarray:
        """A chain over time: a series by its decoded states, and the states' probabilities.

        The path is the most probable one (`Fit.decode`), the probabilities are those of each step
        given all of the sequence. ``ax`` is an array of two axes.

        Raises:
            ValueError: a model without a chain, or no such sequence.
        """
        from .states import states

        return states(self._fit, self._names, ax, column, sequence)

    def rootogram(self, ax: Any = None, *, columns: Any = None, most: int = 9) -> Panels:
        """Counts: roots of observed numbers hang from those that the mixture expects.

        Bars that do not reach 0, or cross it, are counts that come less or more often than the
        model says (Kleiber & Zeileis 2016, The American Statistician 70:296).

        Raises:
            ValueError: no column of counts.
        """
        from .rootogram import rootogram

        return rootogram(self._fit, self._names, ax, columns, most)

    def objective(self, ax: Axes | None = None, *, label: str | None = None) -> Axes:
        """The objective after each step; several fits into one ``ax`` with a ``label`` each."""
        from .climb import objective

        return objective(self._fit, self._names, ax, label)

    def restarts(self, ax: Axes | None = None) -> Axes:
        """Where the starts ended: how far below the chosen one, by status."""
        from .climb import restarts

        return restarts(self._fit, self._names, ax)

    def posterior(
        self,
        posterior: DataTree,
        *,
        var_names: Any = None,
        backend: str | None = None,
        **kwargs: Any,
    ) -> PlotCollection:
        """Marginal densities of a posterior's draws, with the fit's estimates as lines.

        By ``arviz_plots.plot_dist``, whose conventions hold: ``backend="matplotlib"``, ``"bokeh"``
        or ``"plotly"``, a `PlotCollection` comes back, and other keywords are passed on.

        Args:
            posterior: what `run_nuts`, `run_svi`, `run_laplace` or `to_arviz` gave.
            var_names: the parameters to draw; all by default.
            backend: the plotting library.
            kwargs: other keywords of `arviz_plots.plot_dist`.

        Raises:
            ValueError: no posterior of this model.
        """
        from .posterior import posterior as draw

        return draw(self._fit, posterior, var_names, backend, **kwargs)
