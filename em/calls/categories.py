"""Categories as they come: text, pandas categories, numbers, gaps; by the item, and by their names.

A model says which of its arguments holds items (`models/_items.py`): its attribute
``__mixpyro_items__`` is ``(argument, {site: what numbers each of its axes}, ordered)``. Such an
argument becomes numbers from 0, NaN where an entry is missing, and the keyword ``categories``,
which is static: ``((item, (category, ...)), ...)``. So it is saved, remembered by `predict`, and
tells what numbers mean wherever entries are named.

Single vectors of categories, and columns of several kinds, are `Labels` of a model, its attribute
``__mixpyro_labels__``: there ``categories`` has an entry for each, and an axis that is numbered by
one has its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from .factors import codes, found, plain, unmasked
from .fingerprint import unwrapped
from .numbers import numbers as as_numbers
from .signatures import signature_of

Categories = tuple[tuple[Any, tuple[Any, ...]], ...]


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
    whether they name the ``units`` of a call, which are its own and have no gaps.
    """

    name: str
    argument: str
    column: str | None
    ordered: bool
    given: int | None
    units: bool


def declared(model: Callable) -> tuple[str, dict[str, tuple[str, ...]], bool] | None:
    """What a model says of its items; None if it has none."""
    spec: tuple[str, dict[str, tuple[str, ...]], bool] | None = _attribute(model, "items")
    return spec


def _labels(model: Callable) -> Labels | None:
    spec: Labels | None = _attribute(model, "labels")
    return spec


def _attribute(model: Callable, name: str) -> Any:
    attribute = f"__mixpyro_{name}__"
    return next((getattr(f, attribute) for f in unwrapped(model) if hasattr(f, attribute)), None)


def coded(model: Callable, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """The arguments with categories as numbers, and with ``categories``.

    Raises:
        ValueError: items that are no table, lack a column or have another category than the fitted
            ones, or whose categories should be ordered and are not; a group without a name.
    """
    spec, labels = declared(model), _labels(model)
    if spec is None and labels is None:
        return args, kwargs
    try:
        bound = signature_of(model).bind_partial(*args, **kwargs)
    except TypeError:
        return args, kwargs  # the model says what is wrong
    if spec is not None:
        _code_table(spec, bound.arguments)
    if labels is not None:
        _code_labels(labels, bound.arguments)
    return bound.args, bound.kwargs


def _code_table(spec: tuple[str, dict, bool], arguments: dict[str, Any]) -> None:
    name, _, ordered = spec
    items = arguments.get(name)
    known: Categories | None = arguments.get("categories")
    if items is None or isinstance(items, jax.core.Tracer) or not hasattr(items, "__array__"):
        return
    if isinstance(items, np.ma.MaskedArray):
        items = unmasked(items)
    if isinstance(items, jax.Array):
        items = arguments[name] = as_numbers(items, f"argument {name!r}")
    given = arguments.get("num_categories")
    numbers = np.asarray(items).dtype.kind in "biuf"
    framed = hasattr(items, "columns")
    if given is not None and not framed and np.asarray(items).dtype.kind == "b":
        items = arguments[name] = np.asarray(items).astype(int)
    if np.ndim(items) != 2 or (numbers and not framed and known is None and given is not None):
        return
    columns = _columns(items, None if known is None else [column for column, _ in known])
    if known is None:
        known = tuple((c, found(c, values, ordered, given)) for c, values in columns)
    table = [codes(c, values, dict(known)[c]) for c, values in columns]
    array = np.stack(table, axis=1)
    arguments[name] = array if np.isnan(array).any() else array.astype(np.int32)
    arguments["categories"] = known


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
        if values is None or isinstance(values, jax.core.Tracer) or np.ndim(values) != 1:
            continue
        if vector.units:
            known.pop(vector.name, None)
        if vector.name not in known:
            numbers = getattr(getattr(values, "dtype", None), "kind", "O") in "biuf"
            if numbers and vector.given is not None:
                continue
            known[vector.name] = found(vector.name, values, vector.ordered, None)
        array = codes(vector.name, values, known[vector.name])
        gaps = np.isnan(array)
        if vector.units and gaps.any():
            row = int(gaps.argmax())
            raise ValueError(f"{vector.name!r} is missing in row {row}; leave such rows out")
        holder[place] = array if gaps.any() else array.astype(np.int32)
    if known:
        arguments["categories"] = tuple(known.items())


def place(model: Callable, kwargs: dict, name: str, index: Sequence[Any]) -> list[str] | None:
    """Where an entry of a site is, by names: ``0``, ``item A``, ``yes``; numbers without names.

    None for a category that its item does not have: arrays go up to the most that any item has.
    """
    words = [str(i) for i in index]
    known = kwargs.get("categories")
    axes = _axes(model, kwargs).get(name)
    if axes is None or known is None or len(axes) != len(index):
        return words
    item = next((known[int(i)] for a, i in zip(axes, index, strict=True) if a == "item"), None)
    by_name = dict(known)
    for j, axis in enumerate(axes):
        if item is not None and axis == "item":
            words[j] = str(item[0])
            continue
        values = item[1] if item is not None and axis == "category" else by_name.get(axis)
        if values is None:
            continue
        if int(index[j]) >= len(values):
            return None
        words[j] = str(values[int(index[j])])
    return words


def columns_by_name(
    model: Callable, kwargs: dict, site: str
) -> list[tuple[str, tuple[str, ...]]] | None:
    """[(column, its categories)] of what a site observes; None where these have no names."""
    spec, known = declared(model), kwargs.get("categories") or ()
    own = [entry for entry in known if (entry[0] == site if spec is None else spec[0] == site)]
    return [(str(name), tuple(map(str, values))) for name, values in own] or None


def axes_of(model: Callable, kwargs: dict) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """{site: the names of its axes but for the first}, {axis: its coordinates}, for DataTrees.

    Categories are numbers where items differ in them.
    """
    known = kwargs.get("categories")
    if known is None:
        return {}, {}
    dims = {s: [a for a in axes if a != "component"] for s, axes in _axes(model, kwargs).items()}
    if declared(model) is None:
        coords = {str(name): [str(v) for v in values] for name, values in known}
    else:
        coords = {"item": [str(c) for c, _ in known]}
        if len({values for _, values in known}) == 1:
            coords["category"] = [str(v) for v in known[0][1]]
    used = {axis for axes in dims.values() for axis in axes}
    return dims, {axis: values for axis, values in coords.items() if axis in used}


def _axes(model: Callable, kwargs: dict) -> Mapping[str, tuple[str, ...]]:
    """{site: what numbers each of its axes}."""
    spec, labels = declared(model), _labels(model)
    if spec is not None:
        return spec[1]
    return {} if labels is None else labels.axes(kwargs)


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
