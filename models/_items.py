"""Items: which argument of a model holds categories, how many there are, and gaps among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np
from jax.typing import ArrayLike

from ._arguments import check_count

ModelT = TypeVar("ModelT", bound=Callable[..., Any])
Categories = tuple[tuple[Any, tuple[Any, ...]], ...]


@dataclass(frozen=True)
class Items:
    """What a model says by `items`."""

    argument: str
    axes: Mapping[str, tuple[str, ...]]
    ordered: bool
    binary: bool
    waves: bool


def items(
    argument: str,
    *,
    ordered: bool = False,
    binary: bool = False,
    waves: bool = False,
    **axes: tuple[str, ...],
) -> Callable[[ModelT], ModelT]:
    """Say that an argument holds items, and what numbers each axis of the sites about them.

    Before a fit, `mixpyro.em` turns such an argument into numbers from 0 (NaN where missing) and
    gives the model what they mean as ``categories`` (see ``em/calls/categories.py``).

    Args:
        argument: its name.
        ordered: whether the order of the categories matters.
        binary: whether each item has two categories.
        waves: whether the argument is (t, n, d), or a list of t tables.
        **axes: of each site, an axis is "component", "item", "category", or "answer": an item, and
            of two categories the second; "" has no names.
    """

    def attach(model: ModelT) -> ModelT:
        said = Items(argument, axes, ordered, binary, waves)
        model.__mixpyro_items__ = said  # type: ignore[attr-defined]
        return model

    return attach


def columns(**axes: tuple[str, ...]) -> Callable[[ModelT], ModelT]:
    """Say which axes of a model's sites are numbered by the columns of an argument, if a frame.

    Args:
        **axes: of each site, an axis is the name of the argument, or of the first one given of
            "this|that", or "component", or "", which has no names. They hold where the site has as
            many axes; without "component" it may have that one more, before them.
    """

    def attach(model: ModelT) -> ModelT:
        model.__mixpyro_columns__ = axes  # type: ignore[attr-defined]
        return model

    return attach


@dataclass(frozen=True)
class Vector:
    """A vector of categories: an argument, or a column of one.

    Attributes:
        name: what it is called in ``categories``.
        argument: of the model.
        column: which column of the argument, if that is a mapping.
        ordered: whether the order of the categories matters.
        given: how many there are, if the call says so: numbers then stay as they are.
        units: whether these are names of a call's own groups: no categories to remember, no gaps.
        table: whether it is a table whose columns have the same categories.
    """

    name: str
    argument: str
    column: str | None = None
    ordered: bool = False
    given: int | None = None
    units: bool = False
    table: bool = False


@dataclass(frozen=True)
class Labels:
    """What a model says by `labels`."""

    vectors: Callable[[Mapping[str, Any]], Iterable[Vector]]
    axes: Callable[[Mapping[str, Any]], Mapping[str, tuple[str, ...]]]
    columns: tuple[str, str] | None


def labels(
    vectors: Callable[[Mapping[str, Any]], Iterable[Vector]],
    axes: Callable[[Mapping[str, Any]], Mapping[str, tuple[str, ...]]] = lambda _: {},
    columns: tuple[str, str] | None = None,
) -> Callable[[ModelT], ModelT]:
    """Say which arguments are vectors of categories, and what numbers the axes of the sites.

    As with `items`, `mixpyro.em` turns them into numbers from 0 and gives the model ``categories``:
    ``((name, (category, ...)), ...)``.

    Args:
        vectors: those of a call with these arguments, by name.
        axes: {site: (axis, ...)}, each "component" or the name of a vector whose categories
            number it.
        columns: (argument, keyword) of a mapping, or frame, whose columns the keyword names.
    """

    def attach(model: ModelT) -> ModelT:
        model.__mixpyro_labels__ = Labels(vectors, axes, columns)  # type: ignore[attr-defined]
        return model

    return attach


def count_of(name: str, value: int | None, entry: str, categories: Categories | None) -> int:
    """How many categories or groups there are: as given, or else as found in the data."""
    if value is None and categories is not None and entry in dict(categories):
        return len(dict(categories)[entry])
    return check_count(name, value)


def num_categories_of(
    x: ArrayLike | None, num_categories: int | None, categories: Categories | None
) -> int:
    """C, the largest number of categories of an item: as given, or else as found in the data."""
    if num_categories is not None:
        return check_count("num_categories", num_categories)
    if categories is not None:
        return max(len(values) for _, values in categories)
    if x is None or isinstance(x, jax.core.Tracer):
        raise ValueError(
            "num_categories is missing: it can be left out where the model is given data as they "
            "are, not to simulate or inside jax.jit"
        )
    return int(np.nanmax(np.asarray(x))) + 1
