"""The observations of a fit as named columns, with what they are and the classes of their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np
import numpyro.distributions as dist

from ..calls.places import columns_by_name
from ..classes.posterior import posterior, within_units
from ..machine.jit import quick_jit
from ..plan.program import Params
from ..read import layout
from ..read.structure import Data

if TYPE_CHECKING:
    from .result import Result

NUMBER, COUNT, CATEGORY = "number", "count", "category"
_CATEGORIES = (
    dist.BernoulliProbs,
    dist.BernoulliLogits,
    dist.CategoricalProbs,
    dist.CategoricalLogits,
    dist.OrderedLogistic,
)


@dataclass(frozen=True, eq=False)
class Columns:
    """The observed columns of the rows of one level.

    Attributes:
        level: which rows: 0 for the independent units (the steps of a chain), else rows of groups.
        names: (d,) the frame's own names, or the site's with the place: ``x[2]``.
        kinds: (d,) ``"number"``, ``"count"`` or ``"category"``.
        sites: (d,) the site of each, ``places`` (d,) its place there.
        values: (d, n), NaN where missing.
        weights: (n,) of the rows.
        responsibilities: (n, k) ``p(class | data)``; of combinations of classes if there are
            several.
        classes: (k,) what they are called.
        categories: (d,) the names of each column's categories; none where they are numbers.
    """

    level: int
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    sites: tuple[str, ...]
    places: tuple[int, ...]
    values: np.ndarray
    weights: np.ndarray
    responsibilities: np.ndarray
    classes: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]


def kind_of(data: Data) -> str:
    """What the values of a site are."""
    if issubclass(data.distribution, _CATEGORIES):
        return CATEGORY
    return COUNT if data.discrete else NUMBER


def drawable(data: Data) -> bool:
    """Whether a site's observations are columns: numbers, or vectors of them."""
    return data.event_rank <= 1


def columns_of(fit: Result) -> Columns:
    """The columns of a fit: of the level of rows that has most of them.

    Raises:
        ValueError: no observation is a number or a vector.
    """
    program, structure = fit.program, fit.program.structure
    sites = [d for d in structure.data if drawable(d)]
    if not sites:
        names = ", ".join(f"{d.name} ({d.distribution.__name__})" for d in structure.data)
        raise ValueError(f"the observations are no columns of numbers: {names}")

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

    compiled = program.compiled("columns", lambda: quick_jit(program, of))
    found = {n: np.asarray(v, float) for n, v in compiled(fit.free, fit.call.arrays).items()}
    width = {
        level: sum(len(found[d.name]) for d in sites if d.level == level)
        for level in range(len(structure.levels))
    }
    level = max(width, key=lambda number: width[number])
    own = [d for d in sites if d.level == level]
    called: list[str] = []
    categories: list[tuple[str, ...]] = []
    kinds: list[str] = []
    owners: list[str] = []
    places: list[int] = []
    for data in own:
        values = found[data.name]
        known = columns_by_name(program.source, fit.call.rebuild()[1], data.name)
        known = known or [(name, ()) for name in _names(fit, data.name, values)]
        called += [name for name, _ in known]
        categories += [names for _, names in known]
        kinds += [kind_of(data)] * len(values)
        owners += [data.name] * len(values)
        places += range(len(values))
    return Columns(
        level,
        tuple(called),
        tuple(kinds),
        tuple(owners),
        tuple(places),
        np.concatenate([found[d.name] for d in own]),
        np.asarray(fit.rows.weights_of(level), float)[: structure.levels[level].num_rows],
        component_probabilities(fit, level),
        _classes(fit, level),
        tuple(categories),
    )


def component_probabilities(fit: Result, level: int) -> np.ndarray:
    """(n, k) the posterior probabilities of the components of a level's rows."""
    program = fit.program

    def of(params: Params, arrays: tuple) -> jax.Array:
        found = posterior(program, params, arrays)
        if level == 0:
            return found.units
        return within_units(program, found.units, found.given[level], found.owners[level])

    compiled = program.compiled(("components of", level), lambda: quick_jit(program, of))
    return np.asarray(compiled(fit.free, fit.call.arrays), float).T


def _names(fit: Result, site: str, values: np.ndarray) -> list[str]:
    """The names of a site's columns: those of the frame that holds its values, if one does."""
    for array, columns in zip(fit.call.arrays, fit.call.columns, strict=False):
        if columns and array.shape == values.T.shape:
            given = np.asarray(array, float)
            if np.array_equal(np.where(np.isnan(values.T), np.nan, given), values.T, True):
                return [str(name) for name in columns]
    return [site] if len(values) == 1 else [f"{site}[{j}]" for j in range(len(values))]


def _classes(fit: Result, level: int) -> tuple[str, ...]:
    structure = fit.program.structure
    shown = [z for z in structure.latents if z.level in (0, level)]
    numbers = np.arange(structure.num_components(level))
    values = {n: np.asarray(v) for n, v in structure.classes(numbers, level).items()}
    if len(shown) == 1 and fit.call.classes.names:
        return fit.call.classes.names
    if len(shown) == 1:
        word = "class" if structure.chain is None else "state"
        return tuple(f"{word} {values[shown[0].name][j]}" for j in numbers)
    return tuple(", ".join(f"{z.name} = {values[z.name][j]}" for z in shown) for j in numbers)
