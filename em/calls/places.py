"""Where an entry of a parameter is, by the names of items, categories and columns.

Besides items and categories (`categories.py`) an axis may be numbered by the columns of a frame
among the arguments: a model says so by `columns` (`models/_items.py`), its attribute
``__mixpyro_columns__``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .arguments import places as places_of_arguments
from .call import Call
from .categories import Categories, attribute, declared, labels_of, of_items


def place(model: Callable, call: Call, name: str, index: Sequence[Any]) -> list[str] | None:
    """Where an entry of a site is, by names: ``low``, ``item A``, ``yes``; numbers without names.

    None for a category that its item does not have: arrays go up to the most that any item has.
    """
    words = _by_columns(model, call, name, index)
    if words is not None:
        for axis, own in call.classes.words.get(name, {}).items():
            words[axis] = own[int(index[axis])]
    return words


def _by_columns(model: Callable, call: Call, name: str, index: Sequence[Any]) -> list[str] | None:
    """The same by the names of items, categories and columns alone."""
    words = [str(i) for i in index]
    kwargs = call.rebuild()[1]
    axes = _axes(model, kwargs).get(name)
    if axes is not None and len(axes) == len(index) - 1 and "component" not in axes:
        axes = ("component", *axes)
    if axes is None or len(axes) != len(index):
        return words
    items = _items(model, kwargs)
    named: Mapping[Any, Sequence[Any]] = _columns(model, call) | _vectors(model, kwargs)
    item = None
    for j, axis in enumerate(axes):
        at = int(index[j])
        if axis in ("item", "answer") and items:
            item = items[at]
            words[j] = str(item[0])
            if axis == "answer" and tuple(item[1]) != (0, 1):
                words[j] += f", {item[1][1]}"
    for j, axis in enumerate(axes):
        at = int(index[j])
        values = item[1] if axis == "category" and item is not None else named.get(axis)
        if axis in ("item", "answer") or values is None:
            continue
        if at >= len(values):
            return None
        words[j] = str(values[at])
    return words


def columns_by_name(
    model: Callable, kwargs: dict, site: str
) -> list[tuple[str, tuple[str, ...]]] | None:
    """[(column, its categories)] of what a site observes; None where these have no names."""
    spec = declared(model)
    if spec is not None:
        own = _items(model, kwargs) if spec.argument == site else ()
    else:
        own = tuple(entry for entry in kwargs.get("categories") or () if entry[0] == site)
    return [(str(name), tuple(map(str, values))) for name, values in own] or None


def axes_of(
    model: Callable, call: Call, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """{site: the names of its axes but for the components'}, {axis: its coordinates}, of DataTrees.

    Categories are numbers where items differ in them.
    """
    kwargs = call.rebuild()[1]
    items, columns, vectors = _items(model, kwargs), _columns(model, call), _vectors(model, kwargs)
    coords = {axis: [str(v) for v in values] for axis, values in (columns | vectors).items()}
    called = {axis: axis for axis in vectors} | {"": ""}
    called |= {a: _dimension(a) for a in columns if a not in vectors}
    if items:
        same = len({values for _, values in items}) == 1
        coords["item"] = coords["answer"] = [str(name) for name, _ in items]
        coords["category"] = [str(v) for v in items[0][1]] if same else []
        called |= {"item": "item", "answer": "item", "category": "category"}
    dims: dict[str, list[str]] = {}
    found: dict[str, list[str]] = {}
    for site, axes in _axes(model, kwargs).items():
        own = [axis for axis in axes if axis != "component"]
        more = len(shapes.get(site, axes)) - len(axes)
        fits = more == 0 or (more == 1 and own == list(axes))
        if not fits or not any(own) or not all(axis in called for axis in own):
            continue
        names = [called[axis] or f"{site}_dim_{j}" for j, axis in enumerate(own)]
        dims[site] = [n + "_again" * names[:j].count(n) for j, n in enumerate(names)]
        found |= {n: coords[a] for n, a in zip(dims[site], own, strict=True) if coords.get(a)}
    return dims, found


def _dimension(argument: str) -> str:
    """What the columns of an argument are called in DataTrees."""
    return argument.removesuffix("s") if argument.endswith("covariates") else "column"


def _items(model: Callable, kwargs: dict) -> Categories:
    return () if declared(model) is None else of_items(model, kwargs) or ()


def _vectors(model: Callable, kwargs: dict) -> dict[Any, Sequence[Any]]:
    """{name: its categories} of the vectors of a model."""
    every = dict(kwargs.get("categories") or ())
    return {n: v for n, v in every.items() if n not in dict(_items(model, kwargs))}


def _columns(model: Callable, call: Call) -> dict[Any, Sequence[Any]]:
    """{argument: the names of its columns} of the frames among the arguments."""
    if attribute(model, "columns") is None or not any(call.columns):
        return {}
    named = {a: call.columns[p] for a, p in places_of_arguments(model, call).items()}
    return {argument: names for argument, names in named.items() if names}


def _axes(model: Callable, kwargs: dict) -> Mapping[str, tuple[str, ...]]:
    """{site: what numbers each of its axes}."""
    spec, labels, columns = declared(model), labels_of(model), attribute(model, "columns")
    found: dict[str, tuple[str, ...]] = {}
    if columns is not None:
        found |= {
            site: tuple(_given(axis, kwargs) for axis in axes) for site, axes in columns.items()
        }
    if labels is not None:
        found |= labels.axes(kwargs)
    if spec is not None:
        found |= spec.axes
    return found


def _given(axis: str, kwargs: dict) -> str:
    """Of the arguments "a|b" the first that is given."""
    *first, last = axis.split("|")
    return next((name for name in first if kwargs.get(name) is not None), last)
