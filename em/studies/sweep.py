"""Many fits in one call: a grid of keywords."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..climb.status import Status
from ..driver import EM
from ..report.fit import Fit
from .figures import figure, figures
from .processes import Fits, fits_in
from .sequence import SequentialTest, sequence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_HIGHER = ("log_likelihood", "relative_entropy")
_CRITERIA = ("aic", "bic", "icl", "aic3", "sabic", "caic", "clc", "awe", *_HIGHER)

_PRINTED = (
    "log_likelihood",
    "num_free_params",
    "aic",
    "bic",
    "icl",
    "relative_entropy",
    "status",
)


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """Fits over a grid of keywords; printed, a table of them: `table` has more criteria.

    Attributes:
        keywords: the keywords of each fit that were swept over.
        fits: the fits, in the same order (the last keyword changes fastest). Those that other
            processes made are put together as they are asked for.
    """

    keywords: tuple[dict[str, Any], ...]
    fits: Sequence[Fit]

    @property
    def table(self) -> pd.DataFrame:
        """One row a fit: its keywords, log-likelihood, dimensions, criteria, entropies, status.

        Criteria are those of `Fit.indices`, which says what they are, and BIC's weights:
        exp(-BIC / 2) as a share of all. Fits of chains have no ICL.
        """
        import pandas as pd

        weights = self._bic_weights()
        rows = []
        for keywords, own, weight in zip(self.keywords, self._rows, weights, strict=True):
            row = dict(own)
            status = row.pop("status")
            rows.append({**keywords, **row, "bic_weight": weight, "status": status})
        return pd.DataFrame(rows)

    @property
    def _rows(self) -> tuple[dict[str, Any], ...]:
        """The figures of each fit."""
        if isinstance(self.fits, Fits):
            return self.fits.rows
        return tuple(figures(fit) for fit in self.fits)

    @property
    def ok(self) -> np.ndarray:
        """(number of fits,) whether the status of each is ok."""
        if isinstance(self.fits, Fits):
            return np.array([Status[row["status"]].ok for row in self.fits.rows])
        return np.array([fit.status.ok for fit in self.fits])

    def _bic_weights(self) -> np.ndarray:
        bic = self.values("bic")
        share = np.exp(-(bic - np.nanmin(bic)) / 2)
        return share / np.nansum(share)

    def __repr__(self) -> str:
        return f"Sweep({len(self.fits)} fits over {', '.join(self.keywords[0])})"

    def __str__(self) -> str:
        # What is read most often, under short heads: a line of two keywords fits 100 columns.
        heads = {"log_likelihood": "log_lik", "num_free_params": "free"}
        table = self._short().rename(columns=heads | {"relative_entropy": "rel_entropy"})
        return table.to_string(index=False, line_width=100, float_format="{:.2f}".format)

    def _short(self) -> pd.DataFrame:
        table = self.table
        return table[[name for name in table if name in (*self.keywords[0], *_PRINTED)]]

    def _repr_html_(self) -> str:
        return self._short().to_html(index=False, float_format="{:.2f}".format)

    def plot(self, ax: Axes | None = None, criterion: str = "bic") -> Axes:
        """The criterion against the number of components (or whatever has most values).

        One line a combination of the other keywords; the best is ringed, fits whose status is not
        ok are hollow.

        Raises:
            ValueError: an unknown criterion.
        """
        from ...plots.sweep import sweep as draw

        return draw(self, ax, criterion)

    def values(self, criterion: str) -> np.ndarray:
        """(number of fits,) a criterion of each, NaN where a fit has none."""
        if isinstance(self.fits, Fits):
            return np.array([row.get(criterion, np.nan) for row in self.fits.rows], float)
        return np.array([figure(fit, criterion) for fit in self.fits], float)

    def best(self, criterion: str = "bic") -> Fit:
        """The fit of the lowest criterion, or of the highest log-likelihood or relative entropy.

        Fits whose status is not ok are passed over, unless none is.

        Raises:
            ValueError: an unknown criterion.
        """
        return self.fits[self.winner(criterion)]

    def winner(self, criterion: str = "bic") -> int:
        """The place of that fit."""
        if criterion not in _CRITERIA:
            raise ValueError(f"criterion must be one of {', '.join(_CRITERIA)}, not {criterion!r}")
        values = (-1 if criterion in _HIGHER else 1) * self.values(criterion)
        ok = self.ok
        values = np.where(ok if ok.any() else True, values, np.nan)
        if np.isnan(values).all():
            raise ValueError(f"none of these fits has {criterion}; Fit.indices says what there is")
        return int(np.nanargmin(values))

    def bootstrap_lrt(
        self,
        rng_key: jax.Array,
        num_replicates: int = 99,
        *,
        level: float = 0.05,
        stop: bool = True,
        num_restarts: int = 5,
        max_steps: int = 1000,
        tolerance: float = 1e-6,
    ) -> SequentialTest:
        """K against K + 1 components, for each K of the sweep, by the bootstrap's test.

        The number chosen is the first K whose K + 1 is not rejected (Nylund, Asparouhov & Muthen
        2007, Structural Equation Modeling 14:535; McLachlan 1987, Applied Statistics 36:318).
        Each test is that of `bootstrap_lrt` with this key.

        Args:
            rng_key: a JAX key.
            num_replicates: of each pair; the least p is 1 / (num_replicates + 1).
            level: pairs with ``p <= level`` are rejected.
            stop: whether to end at the first pair that is not rejected; else all are tested.
            num_restarts: starts of the larger model in each replicate.
            max_steps: of each climb.
            tolerance: of each climb.

        Raises:
            ValueError: a sweep over anything else than the number of components, or with gaps in
                it; a fit that is lower than one of fewer components; fewer replicates than the
                level needs; what `bootstrap_lrt` raises.
        """
        options = {
            "num_restarts": num_restarts,
            "max_steps": max_steps,
            "tolerance": tolerance,
        }
        return sequence(self.keywords, self.fits, rng_key, num_replicates, level, stop, options)


def sweep(
    model: Callable | EM,
    rng_key: jax.Array | int,
    *args: Any,
    init_params: Any = None,
    processes: int | str = "auto",
    **kwargs: Any,
) -> Sweep:
    """Fit a model for every combination of the keywords that are given as a list, tuple or range.

    ``em.sweep(model, key, x, num_components=range(1, 10), covariance=("full", "tied"))`` makes 18
    fits. A keyword whose value is itself a tuple goes into a list: ``[(1, 2)]``.

    With ``num_restarts="auto"``, the default, and more than twelve fits, all climb from ten starts,
    and from more only those that may come out first by BIC, or are below one of fewer components;
    the messages of the others say so. ``EM(model, num_restarts=100)`` takes so many for each.

    Args:
        model: a NumPyro model, or ``EM(model, ...)`` with the options to fit by.
        rng_key: a JAX key; every fit uses it.
        args: the model's positional arguments.
        init_params: not allowed: the fits differ in their parameters.
        processes: fit in so many processes at once: most of what many small fits take is Python,
            which runs on one core. Each takes seconds to start, and a model must be of a module
            that it can import. On the CPU only. ``"auto"`` takes one for every six fits, up to
            eight and the cores that there are, where all of that holds, and else one: for more
            than 100,000 rows, models of the main module (a notebook), `Batches`, a progress bar,
            several devices.
        kwargs: the model's keyword arguments; lists, tuples and ranges are swept over.

    Raises:
        ValueError: no keyword to sweep over, an empty one; processes that cannot be had; or what
            `EM.run` raises.
    """
    if init_params is not None:
        raise ValueError("a sweep takes no init_params: its fits have different parameters")
    fitter = model if isinstance(model, EM) else EM(model)
    grid = {n: list(v) for n, v in kwargs.items() if isinstance(v, list | tuple | range)}
    fixed = {n: v for n, v in kwargs.items() if n not in grid}
    if not grid or not all(grid.values()):
        raise ValueError(
            "give at least one keyword as a list, tuple or range of values to sweep over, none "
            "of them empty, such as num_components=range(1, 10)"
        )
    every = itertools.product(*grid.values())
    keywords = tuple(dict(zip(grid, values, strict=True)) for values in every)
    calls = [(args, {**fixed, **chosen}) for chosen in keywords]
    return Sweep(keywords, fits_in(processes, fitter, rng_key, keywords, calls))
