"""The observations of a fit as they are in the data: values, names, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np
import numpyro.distributions as dist

from ...calls.places import columns_by_name
from ...climb.stopping import scale_floor
from ...machine.jit import quick_jit
from ...plan.program import Params
from ...read import layout
from ...read.structure import Data
from ...rows.dependent import dependent
from ...rows.streamed import Streamed
from .scoring import Scored

NUMBER, COUNT, CATEGORY = "number", "count", "category"
_CATEGORIES = (
    dist.BernoulliProbs,
    dist.BernoulliLogits,
    dist.CategoricalProbs,
    dist.CategoricalLogits,
    dist.OrderedLogistic,
)
_WITH_COVARIANCE = (dist.MultivariateNormal, dist.MultivariateStudentT)


def kind_of(data: Data) -> str:
    """What the values of a site are."""
    if issubclass(data.distribution, _CATEGORIES):
        return CATEGORY
    return COUNT if data.discrete else NUMBER


def drawable(data: Data) -> bool:
    """Whether a site's observations are columns: numbers, or vectors of them."""
    return data.event_rank <= 1


def values_of(fit: Scored, sites: Sequence[Data]) -> dict[str, np.ndarray]:
    """{site: (d, n)} the observations of drawable sites, NaN where missing."""
    program, structure = fit.program, fit.program.structure

    def of(params: Params, arrays: tuple) -> dict[str, jax.Array]:
        trace, out = program.run(params, arrays, 0), {}
        for data in sites:
            level = structure.level_of(data)
            values = layout.site_values(trace[data.name], level, data)
            if data.incomplete:
                seen = layout.site_observed(trace[data.name], level, data)
                values = jax.numpy.where(seen, values, np.nan)
            out[data.name] = values.reshape(-1, level.num_rows)
        return out

    key = ("columns", tuple(data.name for data in sites))
    compiled = program.compiled(key, lambda: quick_jit(program, of))
    return {n: np.asarray(v, float) for n, v in compiled(fit.free, fit.call.arrays).items()}


def named(fit: Scored, site: str, values: np.ndarray) -> list[tuple[str, tuple[str, ...]]]:
    """The names of a site's columns (d, n), and of the categories of each."""
    known = columns_by_name(fit.program.source, fit.call.rebuild()[1], site)
    return known or [(name, ()) for name in _names(fit, site, values)]


def why_unbounded(fit: Scored) -> list[str]:
    """What is wrong with the columns of continuous observations, in words.

    A density of such columns has a scale of 0 in every component, wherever a climb starts. Of rows
    that are read batch by batch, or lie on several devices, nothing is told.
    """
    structure, found = fit.program.structure, []
    if isinstance(fit.rows, Streamed) or fit.program.shards is not None:
        return []
    sites = [d for d in structure.data if drawable(d) and kind_of(d) == NUMBER]
    every = values_of(fit, sites) if sites else {}
    for data in sites:
        weights = np.asarray(fit.rows.weights_of(data.level))
        values = every[data.name]
        names = [name for name, _ in named(fit, data.name, values)]
        used = weights[: values.shape[1]] > 0
        together = issubclass(data.distribution, _WITH_COVARIANCE)
        found += dependent(values[:, used], names, 2 * scale_floor(weights.dtype), together)
    return found


def _names(fit: Scored, site: str, values: np.ndarray) -> list[str]:
    """The names of a site's columns: those of the frame that holds its values, if one does."""
    for array, columns in zip(fit.call.arrays, fit.call.columns, strict=False):
        if columns and array.shape == values.T.shape:
            given = np.asarray(array, float)
            if np.array_equal(np.where(np.isnan(values.T), np.nan, given), values.T, True):
                return [str(name) for name in columns]
    return [site] if len(values) == 1 else [f"{site}[{j}]" for j in range(len(values))]
