"""Categories as they come: text, pandas categories, numbers, gaps; by the item, and by their names.

A model says which of its arguments holds items (`models/_items.py`): its attribute
``__mixpyro_items__`` is an `Items`. Such an argument becomes numbers from 0, NaN where an entry is
missing, and the keyword ``categories``, which is static: ``((item, (category, ...)), ...)``. So it
is saved, remembered by `predict`, and tells what numbers mean wherever entries are named.

Single vectors of categories, tables of one set of them, and columns of several kinds, are `Labels`
of a model, its attribute ``__mixpyro_labels__``: there ``categories`` has an entry for each, and an
axis that is numbered by one has its name. What names entries by all these is `places.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import jax
import numpy as np

from .factors import codes, found, pair, plain, unmasked
from .fingerprint import unwrapped
from .numbers import numbers as as_numbers
from .signatures import signature_of

Categories = tuple[tuple[Any, tuple[Any, ...]], ...]


class Items(Protocol):
    """The items of a model (see `items` in `models/_items.py`).

    ``argument``; ``axes`` {site: what numbers each of its axes}; whether the order of categories
    matters (``ordered``), whether each item has two (``binary``), whether the table has an axis of
    ``waves`` before rows and items.
    """

    argument: str
    axes: Mapping[str, tuple[str, ...]]
    ordered: bool
    binary: bool
    waves: bool


class Labels(Protocol):
    """Vectors of categories of a model (see `labels` in `models/_items.py`)."""

    # (argument, keyword) of a mapping, or frame, whose columns are those that the keyword names.
    columns: tuple[str, str] | None

    def vectors(self, arguments: Mapping[str, Any]) -> Iterable[Vector]:
        """Those of a call."""
        ...

    def axes(self, arguments: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        """{site: what numbers each axis: "component", or a name in ``categories``}."""
        ...


class Vector(Protocol):
    """A vector of categories.

    ``name`` in ``categories``; its ``argument``, and ``column`` there if that is a mapping; whether
    their order matters; how many there are, if that is ``given`` (numbers then stay as they are);
    whether they name the ``units`` of a call, which are its own and have no gaps; whether it is a
    ``table`` (n, t) whose columns have the same categories.
    """

    name: str
    argument: str
    column: str | None
    ordered: bool
    given: int | None
    units: bool
    table: bool


def declared(model: Callable) -> Items | None:
    """What a model says of its items; None if it has none."""
    spec: Items | None = attribute(model, "items")
    return spec


def labels_of(model: Callable) -> Labels | None:
    """What a model says of its vectors of categories; None if it has none."""
    spec: Labels | None = attribute(model, "labels")
    return spec


def attribute(model: Callable, name: str) -> Any:
    """What a model says under a name, through wrappers and handlers; None if it says nothing."""
    full = f"__mixpyro_{name}__"
    return next((getattr(f, full) for f in unwrapped(model) if hasattr(f, full)), None)


def of_items(model: Callable, arguments: Mapping[str, Any]) -> Categories | None:
    """The entries of ``categories`` that are items, not vectors of the model; None without."""
    known: Categories | None = arguments.get("categories")
    labels = labels_of(model)
    if known is None or labels is None:
        return known
    others = {vector.name for vector in labels.vectors(arguments)}
    return tuple(entry for entry in known if entry[0] not in others) or None


def coded(model: Callable, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """The arguments with categories as numbers, and with ``categories``.

    Raises:
        ValueError: items that are no table, lack a column or have another category than the fitted
            ones, or whose categories should be ordered, or two, and are not; a group without a
            name.
    """
    spec, labels = declared(model), labels_of(model)
    if spec is None and labels is None:
        return args, kwargs
    try:
        bound = signature_of(model).bind_partial(*args, **kwargs)
    except TypeError:
        return args, kwargs  # the model says what is wrong
    if spec is not None:
        others = () if labels is None else labels.vectors(bound.arguments)
        taken = {vector.name for vector in others}
        _code_table(spec, bound.arguments, of_items(model, bound.arguments), taken)
    if labels is not None:
        _code_labels(labels, bound.arguments)
    return bound.args, bound.kwargs


def _code_table(
    spec: Items, arguments: dict[str, Any], known: Categories | None, taken: set
) -> None:
    name = spec.argument
    items = arguments.get(name)
    waves = isinstance(items, list | tuple) and spec.waves
    if waves:
        items = _stacked(items)
    if items is None or isinstance(items, jax.core.Tracer) or not hasattr(items, "__array__"):
        return
    if isinstance(items, np.ma.MaskedArray):
        items = unmasked(items)
    if isinstance(items, jax.Array):
        items = arguments[name] = as_numbers(items, f"argument {name!r}")
    given = 2 if spec.binary else arguments.get("num_categories")
    kind = np.asarray(items).dtype.kind
    framed = hasattr(items, "columns")
    if given is not None and not framed and kind == "b":
        items = arguments[name] = np.asarray(items).astype(int)
    rank = 3 if spec.waves and not waves else 2
    if np.ndim(items) != rank:
        return
    if kind in "biuf" and not framed and known is None and given is not None:
        if waves:
            arguments[name] = np.stack([np.asarray(wave) for wave in arguments[name]])
        return
    shape = np.shape(items)
    if waves:
        shape = (len(arguments[name]), -1, shape[1])
    elif spec.waves:
        items = np.asarray(items).reshape(-1, shape[-1])
    columns = _columns(items, None if known is None else [column for column, _ in known])
    if known is None:
        if named := [column for column, _ in columns if column in taken]:
            raise ValueError(f"item {named[0]!r} has the name of an argument; call it otherwise")
        find = pair if spec.binary else found
        known = tuple((c, find(c, values, spec.ordered, given)) for c, values in columns)
    table = [codes(c, values, dict(known)[c]) for c, values in columns]
    array = np.stack(table, axis=1).reshape(shape)
    arguments[name] = array if np.isnan(array).any() else array.astype(np.int32)
    arguments["categories"] = known


def _stacked(waves: Any) -> Any:
    """A list of tables, one a wave, as one below another; None where they are no such tables."""
    import pandas as pd

    waves = list(waves)
    if not waves or any(np.ndim(wave) != 2 for wave in waves):
        return None
    if len({len(wave) for wave in waves}) > 1:
        sizes = [len(wave) for wave in waves]
        raise ValueError(f"all waves must have the same people, but there are {sizes} rows")
    if not all(hasattr(wave, "columns") for wave in waves):
        return np.concatenate([np.asarray(wave) for wave in waves])
    first = waves[0]
    for number, wave in enumerate(waves):
        if set(wave.columns) != set(first.columns):
            raise ValueError(f"wave {number} has other items than the first; give it the same")
        if not wave.index.equals(first.index):
            raise ValueError(
                f"wave {number} has other people than the first, or another order, by its index; "
                "align one with the other (wave.loc[first.index])"
            )
    return pd.concat([wave[list(first.columns)] for wave in waves], ignore_index=True)


def _code_labels(labels: Labels, arguments: dict[str, Any]) -> None:
    known = dict(arguments.get("categories") or ())
    if labels.columns is not None:
        argument, keyword = labels.columns
        table = arguments.get(argument)
        if table is not None:
            wanted = arguments.get(keyword, ())
            arguments[argument] = {c: table[c] for c in wanted if c in table}
    for vector in labels.vectors(arguments):
        holder = arguments if vector.column is None else arguments.get(vector.argument) or {}
        place = vector.column or vector.argument
        values = holder.get(place)
        if values is None or isinstance(values, jax.core.Tracer):
            continue
        if np.ndim(values) != (2 if vector.table else 1):
            continue
        if vector.units:
            known.pop(vector.name, None)
        shape = np.shape(values)
        kind = getattr(getattr(values, "dtype", None), "kind", "O")
        if vector.table:
            values = _column(values)
            kind = values.dtype.kind
        if vector.name not in known:
            if kind in "biuf" and vector.given is not None:
                continue
            known[vector.name] = found(vector.name, values, vector.ordered, None)
        array = codes(vector.name, values, known[vector.name]).reshape(shape)
        gaps = np.isnan(array)
        inside = gaps[:, :-1] & ~gaps[:, 1:] if vector.table else gaps[:0]
        if inside.any():
            raise ValueError(
                f"row {int(inside.any(1).argmax())} of {vector.name!r} has a gap inside, where a "
                "sequence may only end early; leave such rows out, or cut them in two"
            )
        if vector.units and gaps.any():
            row = int(gaps.argmax())
            raise ValueError(f"{vector.name!r} is missing in row {row}; leave such rows out")
        holder[place] = array if gaps.any() else array.astype(np.int32)
    if known:
        arguments["categories"] = tuple(known.items())


def _column(table: Any) -> Any:
    """The rows of a table one after another; pandas' categories stay where columns share them."""
    import pandas as pd

    if isinstance(table, np.ma.MaskedArray):
        table = unmasked(table)
    if not isinstance(table, pd.DataFrame):
        return np.asarray(table).ravel()
    rows, columns = table.shape
    below = pd.concat([table.iloc[:, j] for j in range(columns)], ignore_index=True)
    return below.iloc[np.arange(rows * columns).reshape(columns, rows).T.ravel()]


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
        return [(plain(c), items[c]) for c in names]
    by_name = {plain(c): items[c] for c in names}
    if set(by_name) != set(wanted):
        lacking = [c for c in wanted if c not in by_name]
        more = [c for c in by_name if c not in wanted]
        raise ValueError(
            f"the items are not those of the fit: missing {lacking}, unknown {more}; the fitted "
            "frame says which there are, in any order"
        )
    return [(c, by_name[c]) for c in wanted]
