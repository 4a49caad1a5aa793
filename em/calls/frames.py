"""Frames among the arguments: their columns have names, and their rows have an order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

if TYPE_CHECKING:
    from .call import Call


def columns(leaf: Any) -> tuple[Any, ...] | None:
    """The names of the columns of a frame (pandas, polars); None for what is none."""
    names = getattr(leaf, "columns", None)
    return None if names is None or not hasattr(leaf, "dtypes") else tuple(names)


def same_order(leaves: Sequence[Any]) -> None:
    """Refuse frames that have the same rows, by their indices, in different orders.

    Rows are taken by position. Indices that are unlike otherwise say nothing of each other.

    Raises:
        ValueError: such a pair.
    """
    found = [leaf.index for leaf in leaves if hasattr(leaf, "iloc") and hasattr(leaf, "index")]
    for first, second in itertools.pairwise(found):
        if len(first) != len(second) or first.equals(second):
            continue
        if first.is_unique and second.is_unique and bool(first.isin(second).all()):
            raise ValueError(
                "two frames have the same rows in different orders, by their indices; rows are "
                "taken by position: align one with the other (b.loc[a.index]), or pass "
                ".to_numpy() where the indices mean nothing"
            )


def in_order(known: Call, old: Mapping[str, int], new: Call, own: Mapping[str, int]) -> Call:
    """The new call with the columns of its frames in the order of the known ones.

    ``old`` and ``own`` {argument: the place of its array} are those of the two calls.

    Raises:
        ValueError: a frame has other columns than the known one of the same argument.
    """
    arrays = list(new.arrays)
    for name, place in own.items():
        names = new.columns[place]
        wanted = known.columns[old[name]] if name in old else None
        if names is None or wanted is None or names == wanted:
            continue
        missing = [n for n in wanted if n not in names]
        unknown = [n for n in names if n not in wanted]
        if missing or unknown or len(names) != len(wanted) or len(set(names)) != len(names):
            raise ValueError(f"argument {name!r} {_difference(missing, unknown)}")
        order = jnp.asarray([names.index(n) for n in wanted])
        arrays[place] = arrays[place][:, order]
    return replace(new, arrays=tuple(arrays))


def _difference(missing: list, unknown: list) -> str:
    if not missing and not unknown:
        return "has several columns of one name, in another order than the fitted frame"
    parts = [
        f"{word} {', '.join(map(repr, names))}"
        for word, names in (("lacks the columns", missing), ("has the unknown columns", unknown))
        if names
    ]
    return f"{' and '.join(parts)}; the fitted frame says which there are, in any order"
