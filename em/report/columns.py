"""The observations of a fit as named columns, with what they are and the classes of their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np

from ..classes.posterior import posterior, within_units
from ..machine.jit import quick_jit
from ..plan.program import Params
from .of_data.observed import drawable, kind_of, named, values_of

if TYPE_CHECKING:
    from .result import Result


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


def columns_of(fit: Result) -> Columns:
    """The columns of a fit: of the level of rows that has most of them.

    Raises:
        ValueError: no observation is a number or a vector.
    """
    structure = fit.program.structure
    sites = [d for d in structure.data if drawable(d)]
    if not sites:
        names = ", ".join(f"{d.name} ({d.distribution.__name__})" for d in structure.data)
        raise ValueError(f"the observations are no columns of numbers: {names}")

    found = values_of(fit, sites)
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
        known = named(fit, data.name, values)
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
