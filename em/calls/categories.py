"""Categories as they come: text, pandas categories, numbers, gaps; by the item, and by their names.

A model says which of its arguments holds items (`models/_items.py`): its attribute
``__mixpyro_items__`` is ``(argument, {site: what numbers each of its axes}, ordered)``. Such an
argument becomes numbers from 0, NaN where an entry is missing, and the keyword ``categories``,
which is static: ``((item, (category, ...)), ...)``. So it is saved, remembered by `predict`, and
tells what numbers mean wherever entries are named.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from .fingerprint import unwrapped
from .numbers import numbers as as_numbers

Categories = tuple[tuple[Any, tuple[Any, ...]], ...]


def declared(model: Callable) -> tuple[str, dict[str, tuple[str, ...]], bool] | None:
    """What a model says of its items; None if it has none."""
    for function in unwrapped(model):
        found = getattr(function, "__mixpyro_items__", None)
        if found is not None:
            return found
    return None


def coded(model: Callable, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """The arguments with the items as numbers, and with ``categories``.

    Raises:
        ValueError: items that are no table, lack a column or have another category than the fitted
            ones, or whose categories should be ordered and are not.
    """
    spec = declared(model)
    if spec is None:
        return args, kwargs
    name, _, ordered = spec
    signature = inspect.signature(list(unwrapped(model))[-1])
    try:
        bound = signature.bind_partial(*args, **kwargs)
    except TypeError:
        return args, kwargs  # the model says what is wrong
    items = bound.arguments.get(name)
    known: Categories | None = bound.arguments.get("categories")
    if items is None or isinstance(items, jax.core.Tracer) or not hasattr(items, "__array__"):
        return args, kwargs
    if isinstance(items, np.ma.MaskedArray):
        items = _unmasked(items)
    if isinstance(items, jax.Array):
        items = bound.arguments[name] = as_numbers(items, f"argument {name!r}")
    given = bound.arguments.get("num_categories")
    numbers = np.asarray(items).dtype.kind in "biuf"
    framed = hasattr(items, "columns")
    if given is not None and not framed and np.asarray(items).dtype.kind == "b":
        items = bound.arguments[name] = np.asarray(items).astype(int)
    if np.ndim(items) != 2 or (numbers and not framed and known is None and given is not None):
        return bound.args, bound.kwargs
    columns = _columns(items, None if known is None else [column for column, _ in known])
    if known is None:
        known = tuple((c, _found(c, values, ordered, given)) for c, values in columns)
    table = [_codes(c, values, dict(known)[c]) for c, values in columns]
    array = np.stack(table, axis=1)
    if not np.isnan(array).any():
        array = array.astype(np.int32)
    bound.arguments[name] = array
    bound.arguments["categories"] = known
    return bound.args, bound.kwargs


def place(model: Callable, kwargs: dict, name: str, index: Sequence[Any]) -> list[str] | None:
    """Where an entry of a site is, by names: ``0``, ``item A``, ``yes``; numbers without names.

    None for a category that its item does not have: arrays go up to the most that any item has.
    """
    words = [str(i) for i in index]
    spec, known = declared(model), kwargs.get("categories")
    axes = spec[1].get(name) if spec is not None else None
    if axes is not None and known is not None and len(axes) == len(index):
        item = next((known[int(i)] for a, i in zip(axes, index, strict=True) if a == "item"), None)
        for j, axis in enumerate(axes):
            if item is not None and axis == "item":
                words[j] = str(item[0])
            elif item is not None and axis == "category":
                if int(index[j]) >= len(item[1]):
                    return None
                words[j] = str(item[1][int(index[j])])
    return words


def axes_of(model: Callable, kwargs: dict) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """{site: the names of its axes but for the first}, {axis: its coordinates}, for DataTrees.

    Categories are numbers where items differ in them.
    """
    spec, known = declared(model), kwargs.get("categories")
    if spec is None or known is None:
        return {}, {}
    dims = {site: [a for a in axes if a != "component"] for site, axes in spec[1].items()}
    coords = {"item": [str(c) for c, _ in known]}
    if len({values for _, values in known}) == 1:
        coords["category"] = [str(v) for v in known[0][1]]
    used = {axis for axes in dims.values() for axis in axes}
    return dims, {axis: values for axis, values in coords.items() if axis in used}


def _columns(items: Any, wanted: list | None) -> list[tuple[Any, Any]]:
    """[(name, column)], in the order that is wanted."""
    if not hasattr(items, "columns"):
        array = np.asarray(items)
        if wanted is not None and len(wanted) != array.shape[1]:
            raise ValueError(f"there are {array.shape[1]} items; the fit has {len(wanted)}")
        names = range(array.shape[1]) if wanted is None else wanted
        return [(name, array[:, j]) for j, name in enumerate(names)]
    names = list(items.columns)
    if len(set(names)) != len(names):
        raise ValueError("several items have one name; give each column its own")
    if wanted is None:
        return [(_plain(c), items[c]) for c in names]
    by_name = {_plain(c): items[c] for c in names}
    if set(by_name) != set(wanted):
        lacking = [c for c in wanted if c not in by_name]
        more = [c for c in by_name if c not in wanted]
        raise ValueError(
            f"the items are not those of the fit: missing {lacking}, unknown {more}; the fitted "
            "frame says which there are, in any order"
        )
    return [(c, by_name[c]) for c in wanted]


def _found(name: Any, column: Any, ordered: bool, given: int | None) -> tuple[Any, ...]:
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
        return tuple(map(_plain, own.to_list()))
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


def _codes(name: Any, column: Any, categories: tuple[Any, ...]) -> np.ndarray:
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
    plain = [_plain(value) for value in there.tolist()]
    return which, plain


def _listed(column: Any) -> list[Any]:
    return column.to_list() if hasattr(column, "to_list") else np.asarray(column).tolist()


def _unmasked(items: np.ma.MaskedArray) -> np.ndarray:
    """The entries that are not masked; None, or NaN among numbers, for the others."""
    if items.dtype.kind in "biuf":
        return np.where(np.ma.getmaskarray(items), np.nan, items.data)
    return np.ma.filled(np.ma.masked_array(items, dtype=object), None)


def _plain(value: Any) -> Any:
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
