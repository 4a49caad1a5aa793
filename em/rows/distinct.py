"""Rows that are the same again and again: counts, answers to a few questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

# Of fewer rows NumPy's steps take as long for each kind as for all; of more kinds than such a part
# of the rows little is gained. So many rows tell whether it is worth looking at all.
_MANY, _PART, _SAMPLE = 1000, 4, 512


class Kinds(NamedTuple):
    """The ``first`` row of each kind, and the kind ``of`` each row."""

    first: np.ndarray
    of: np.ndarray

    def sums(self, weights: Any) -> np.ndarray:
        """The weight of all rows of each kind."""
        values = np.asarray(weights)
        return np.bincount(self.of, values, len(self.first)).astype(values.dtype)


def distinct(arrays: Sequence[Any], n: int) -> Kinds | None:
    """The kinds of n rows that have the same numbers in all arrays; None where these are many.

    The rows of an array are along its axis of n. Kinds are told apart by a sum of their numbers
    with random factors; that all rows of a kind are the same to the last bit is then seen.
    """
    found = [np.asarray(a) for a in arrays if n in np.shape(a)]
    found = [np.moveaxis(a, a.shape.index(n), 0).reshape(n, -1) for a in found]
    if n < _MANY or not found or any(a.dtype.kind not in "fiub" for a in found):
        return None
    step = n // _SAMPLE
    if len(np.unique(_mixed([a[::step] for a in found]))) > _SAMPLE * 3 // 4:
        return None
    _, first, of = np.unique(_mixed(found), return_index=True, return_inverse=True)
    if len(first) * _PART > n:
        return None
    # NaN is not NaN, so that rows with one are no kind.
    same = all((a == a[first[of]]).all() for a in found)
    return Kinds(first, of) if same else None


def _mixed(found: Sequence[np.ndarray]) -> np.ndarray:
    """(n,) a number of each row that depends on all of its own."""
    total, factors = np.zeros(len(found[0])), np.random.default_rng(0)
    with np.errstate(invalid="ignore", over="ignore"):
        for column in (c for a in found for c in a.T):  # a product of matrices rounds by place
            total += factors.normal() * column
    return total
