"""The values of one column as numbers: its categories, its gaps."""

from __future__ import annotations

from typing import Any

import numpy as np


def found(name: Any, column: Any, ordered: bool, given: int | None) -> tuple[Any, ...]:
    """The categories of a column: its own, if it is categorical, else the values that it has."""
    own = getattr(getattr(column, "cat", None), "categories", None)
    if own is not None and not hasattr(own, "to_list"):
        own = None
    if own is not None:
        if ordered and not column.cat.ordered:
            raise ValueError(
                f"the categories of item {name!r} have no order; give "
                "pandas.Categorical(column, categories=[lowest, ..., highest], ordered=True)"
            )
        return tuple(map(plain, own.to_list()))
    there = set(_factors(column)[1])
    if not there:
        raise ValueError(f"item {name!r} has no answer at all; leave it out")
    if ordered and any(isinstance(v, str) for v in there):
        raise ValueError(
            f"item {name!r} is text, which has no order; give numbers, or pandas.Categorical("
            "column, categories=[lowest, ..., highest], ordered=True)"
        )
    if given is not None and all(isinstance(v, int | bool) for v in there):
        return tuple(range(given))
    try:
        return tuple(sorted(there))
    except TypeError:
        raise ValueError(
            f"item {name!r} has values of several types, text and numbers say; give one type"
        ) from None


def pair(name: Any, column: Any, ordered: bool, _: int | None) -> tuple[Any, ...]:
    """The two categories of a binary item: 0 and 1, or those that it has."""
    there = found(name, column, ordered, None)
    if set(there) <= {0, 1}:
        return (0, 1)
    if len(there) != 2:
        raise ValueError(
            f"item {name!r} has {len(there)} categories, {list(there)}, and not two; leave it out, "
            "or give pandas.Categorical(column, categories=[no, yes]) if one of two is never seen"
        )
    return there


def codes(name: Any, column: Any, categories: tuple[Any, ...]) -> np.ndarray:
    """Numbers from 0, NaN where missing."""
    number = {value: float(i) for i, value in enumerate(categories)}
    which, there = _factors(column)
    strange = [i for i, value in enumerate(there) if value not in number]
    if strange:
        row = int(np.isin(which, strange).argmax())
        raise ValueError(
            f"item {name!r} has the category {there[which[row]]!r} in row {row}, which is none of "
            f"its categories {list(categories)}"
        )
    return np.array([*(number[value] for value in there), np.nan])[which]


def _factors(column: Any) -> tuple[np.ndarray, list[Any]]:
    """(n,) the place of each value among those that there are, -1 where missing; these, plain.

    One pass by pandas' hash table, whatever the number of rows.
    """
    import pandas as pd

    given = column if isinstance(column, pd.Series | np.ndarray) else np.array(_listed(column), "O")
    which, there = pd.factorize(given)
    return which, [plain(value) for value in there.tolist()]


def _listed(column: Any) -> list[Any]:
    return column.to_list() if hasattr(column, "to_list") else np.asarray(column).tolist()


def unmasked(items: np.ma.MaskedArray) -> np.ndarray:
    """The entries that are not masked; None, or NaN among numbers, for the others."""
    if items.dtype.kind in "biuf":
        return np.where(np.ma.getmaskarray(items), np.nan, items.data)
    plainly = np.array(items.data, object)
    plainly[np.ma.getmaskarray(items)] = None
    return plainly


def plain(value: Any) -> Any:
    """A value without NumPy's type; whole numbers as such; None for None, NaN and NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if np.isnan(value):
            return None
        return int(value) if value.is_integer() else value
    return value
