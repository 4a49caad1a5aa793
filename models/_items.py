"""Items: which argument of a model holds categories, how many there are, and gaps among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.typing import ArrayLike

from ._arguments import check_count

ModelT = TypeVar("ModelT", bound=Callable[..., Any])
Categories = tuple[tuple[Any, tuple[Any, ...]], ...]


def items(
    argument: str, *, ordered: bool = False, **axes: tuple[str, ...]
) -> Callable[[ModelT], ModelT]:
    """Say that an argument holds items, and what numbers each axis of the sites about them.

    Before a fit, `mixpyro.em` turns such an argument into numbers from 0 (NaN where missing) and
    gives the model what they mean as ``categories`` (see ``em/calls/categories.py``).

    Args:
        argument: its name.
        ordered: whether the order of the categories matters.
        **axes: of each site, "component", "item" or "category" an axis.
    """

    def attach(model: ModelT) -> ModelT:
        model.__mixpyro_items__ = (argument, axes, ordered)  # type: ignore[attr-defined]
        return model

    return attach


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
