"""Many fits in one call: a grid of keywords."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax

from ..driver import EM
from ..report.fit import Fit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_CRITERIA = ("aic", "bic", "icl", "log_likelihood")


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """Fits over a grid of keywords; printed, the table of them.

    Attributes:
        keywords: the keywords of each fit that were swept over.
        fits: the fits, in the same order (the last keyword changes fastest).
    """

    keywords: tuple[dict[str, Any], ...]
    fits: tuple[Fit, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row a fit: its keywords, log-likelihood, dimensions, criteria, entropy, status.

        Fits of chains have no ICL.
        """
        import pandas as pd

        rows = [
            {
                **keywords,
                "log_likelihood": fit.log_likelihood,
                "num_free_params": fit.num_free_params,
                "aic": fit.aic,
                "bic": fit.bic,
                **({} if fit.program.structure.chain else {"icl": fit.icl}),
                "entropy": fit.entropy,
                "status": fit.status.name,
            }
            for keywords, fit in zip(self.keywords, self.fits, strict=True)
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        return f"Sweep({len(self.fits)} fits over {', '.join(self.keywords[0])})"

    def __str__(self) -> str:
        # Short heads, so that a line of two keywords fits a terminal of 100 columns.
        table = self.table.rename(columns={"log_likelihood": "log_lik", "num_free_params": "free"})
        return table.to_string(index=False, line_width=100, float_format="{:.2f}".format)

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False, float_format="{:.2f}".format)

    def plot(self, ax: Axes | None = None, criterion: str = "bic") -> Axes:
        """The criterion against the number of components (or whatever has most values).

        One line a combination of the other keywords; the best is ringed, fits whose status is not
        ok are hollow.

        Raises:
            ValueError: an unknown criterion.
        """
        from ...plots.sweep import sweep as draw

        return draw(self, ax, criterion)

    def best(self, criterion: str = "bic") -> Fit:
        """The fit of the lowest AIC, BIC or ICL (or highest log-likelihood).

        Fits whose status is not ok are passed over, unless none is.

        Raises:
            ValueError: an unknown criterion.
        """
        if criterion not in _CRITERIA:
            raise ValueError(f"criterion must be one of {', '.join(_CRITERIA)}, not {criterion!r}")
        sign = -1 if criterion == "log_likelihood" else 1
        sound = [fit for fit in self.fits if fit.status.ok] or list(self.fits)
        return min(sound, key=lambda fit: sign * getattr(fit, criterion))


def sweep(
    model: Callable | EM,
    rng_key: jax.Array | int,
    *args: Any,
    init_params: Any = None,
    **kwargs: Any,
) -> Sweep:
    """Fit a model for every combination of the keywords that are given as a list, tuple or range.

    ``em.sweep(model, key, x, num_components=range(1, 10), covariance=("full", "tied"))`` makes 18
    fits. A keyword whose value is itself a tuple goes into a list: ``[(1, 2)]``.

    Args:
        model: a NumPyro model, or ``EM(model, ...)`` with the options to fit by.
        rng_key: a JAX key; every fit uses it.
        args: the model's positional arguments.
        init_params: not allowed: the fits differ in their parameters.
        kwargs: the model's keyword arguments; lists, tuples and ranges are swept over.

    Raises:
        ValueError: no keyword to sweep over, an empty one, or what `EM.run` raises.
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
    calls = ((args, {**fixed, **chosen}) for chosen in keywords)
    return Sweep(keywords, tuple(fitter.run_each(rng_key, calls)))
