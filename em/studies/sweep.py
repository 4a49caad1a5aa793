"""Many fits in one call: a grid of keywords, and held-out likelihood by cross-validation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..calls.arguments import split
from ..classes.assignments.soft import Soft
from ..classes.posterior import posterior
from ..climb.selection import highest
from ..climb.starts.kmeans_plus_plus import KMeansPlusPlus
from ..driver import EM
from ..plan.chunks import Rows
from ..programs import prepare, program_for
from ..report.fit import Fit
from ..rows.checks import check
from .bootstrap import from_starts
from .replicates import each, reweighed

if TYPE_CHECKING:
    import pandas as pd

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
        """One row a fit: its keywords, log-likelihood, dimensions, criteria, entropy, status."""
        import pandas as pd

        rows = [
            {
                **keywords,
                "log_likelihood": fit.log_likelihood,
                "num_free_params": fit.num_free_params,
                "aic": fit.aic,
                "bic": fit.bic,
                "icl": fit.icl,
                "entropy": fit.entropy,
                "status": fit.status.name,
            }
            for keywords, fit in zip(self.keywords, self.fits, strict=True)
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        return f"Sweep({len(self.fits)} fits over {', '.join(self.keywords[0])})"

    def __str__(self) -> str:
        return self.table.to_string(index=False, float_format="{:.2f}".format)

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False, float_format="{:.2f}".format)

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
    model: Callable | EM, rng_key: jax.Array, *args: Any, init_params: Any = None, **kwargs: Any
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
    keywords, fits = [], []
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        keywords.append(chosen)
        fits.append(fitter.run(rng_key, *args, **fixed, **chosen))
    return Sweep(tuple(keywords), tuple(fits))


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Held-out log-likelihood.

    Attributes:
        log_likelihood: ``sum_n w_n log p(x_n | fit without x_n's fold)``; higher is better.
        by_fold: (f,) its parts.
        per_row: (n,) ``log p(x_n)``, unweighted.
        folds: (n,) the fold of each row.
        status: (f,) how the climb of each fold ended (`Status` codes).
    """

    log_likelihood: float
    by_fold: np.ndarray
    per_row: np.ndarray = field(repr=False)
    folds: np.ndarray = field(repr=False)
    status: np.ndarray


def cross_validate(
    model: Callable | EM,
    rng_key: jax.Array,
    *args: Any,
    num_folds: int = 5,
    num_restarts: int | None = None,
    max_steps: int | None = None,
    tolerance: float | None = None,
    **kwargs: Any,
) -> CrossValidation:
    """k-fold cross-validation of the log-likelihood (Smyth 2000, Statistics and Computing 10:63).

    The rows of a fold get the weight 0, the model is fitted to the others, and the fold is scored:
    all folds in one compiled call, on the same shapes.

    Args:
        model: a NumPyro model; or ``EM(model, ...)``, whose restarts, steps and tolerance are then
            those of every fold.
        rng_key: a JAX key: it decides the folds and the starts.
        args: the model's positional arguments.
        num_folds: f.
        num_restarts: starts of every fold; 5 for a model.
        max_steps: the bound on its EM steps; 2000 for a model.
        tolerance: when a climb stops, as in `EM`; 1e-6 for a model.
        kwargs: the model's keyword arguments.

    Raises:
        ValueError: fewer than two folds, or more than rows; an `EM` that climbs in another way than
            soft EM of the likelihood from k-means++; what `EM.run` raises for its data.
    """
    options = (5, 2000, 1e-6)
    if isinstance(model, EM):
        plain = model.objective == "likelihood" and isinstance(model.assign, Soft)
        if not plain or not isinstance(model.start, KMeansPlusPlus) or model.accelerate is not None:
            raise ValueError(
                "cross-validation fits every fold by plain soft EM of the likelihood, started by "
                "k-means++; give an EM without other choices of objective, assign, start and "
                "accelerate"
            )
        options = (model.num_restarts, model.max_steps, model.tolerance)
        model = model.model
    num_restarts = options[0] if num_restarts is None else num_restarts
    max_steps = options[1] if max_steps is None else max_steps
    tolerance = options[2] if tolerance is None else tolerance
    call = split(args, kwargs)
    program = program_for(model, call)
    rows, found = prepare(program, call.arrays)
    check(program, call.arrays, found)
    n = len(rows.weights)
    if not isinstance(num_folds, int | np.integer) or not 2 <= num_folds <= n:
        raise ValueError(f"num_folds must be a whole number from 2 to {n}, not {num_folds!r}")
    key, sub = jax.random.split(rng_key)
    folds = jax.random.permutation(key, jnp.arange(n) % num_folds)

    def fold(inputs: tuple, rows: Rows, folds: jax.Array) -> tuple:
        number, keys = inputs
        held = folds == number
        fewer = reweighed(rows, jnp.where(held, 0, rows.weights))
        outcome = from_starts(program, fewer, keys, max_steps, tolerance)
        which = highest(program, outcome)
        params = jax.tree.map(lambda a: a[which], outcome.params)
        return posterior(program, params, rows.arrays).log_density, outcome.code[which]

    def every(inputs: tuple, rows: Rows, folds: jax.Array) -> tuple:
        return each(program, lambda i: fold(i, rows, folds), inputs)

    name = ("cross_validate", max_steps, tolerance)
    compiled = program.compiled(name, lambda: jax.jit(every))
    keys = jax.random.split(sub, (num_folds, num_restarts))
    scores, status = compiled((jnp.arange(num_folds), keys), rows, folds)
    places, weights = np.asarray(folds), np.asarray(rows.weights, float)
    per_row = np.asarray(scores, float)[places, np.arange(n)]
    terms = np.where(weights > 0, weights * per_row, 0)
    by_fold = np.array([terms[places == f].sum() for f in range(num_folds)])
    return CrossValidation(float(terms.sum()), by_fold, per_row, places, np.asarray(status))
