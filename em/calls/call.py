"""The arguments of one call of a model: arrays, which are data, and everything else."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from ..machine.arrays import array as as_jax
from ..machine.shards import Shards, in_parts
from .fingerprint import PLAIN

# What is no data: it is static.
SCALARS = (*PLAIN, np.generic)


def is_leaf(value: Any) -> bool:
    """What is taken as it is where arguments are taken apart: JAX drops None and warns of these."""
    return value is None or isinstance(value, Iterator)


def is_data(leaf: Any) -> bool:
    """Whether a leaf of the arguments is an array, or becomes one."""
    return hasattr(leaf, "__array__") and not isinstance(leaf, SCALARS)


@dataclass(frozen=True)
class Classes:
    """Names of the classes (k,), and {parameter: {axis: what its entries are called}} by them."""

    names: tuple[str, ...] = ()
    words: Mapping[str, Mapping[int, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """The arguments of one model call: ``model(*args, **kwargs)``.

    ``arrays`` are the array leaves, the only part that reaches compiled code as data. ``static``
    holds the other leaves and ``tree`` the shape of the whole; both are hashable, so that
    ``signature`` decides whether a compiled program can be used again. ``gaps`` tells whether any
    of the arrays has a NaN (or may have one, being traced), ``columns`` the names of the columns of
    those that were frames, ``classes`` what a fit's classes are called. ``concrete`` {number of the
    array: its values} are those that the model is always given as they are, since it needs them in
    Python. ``shards`` says how rows lie that are on several devices.
    """

    arrays: tuple[jax.Array, ...]
    static: tuple[tuple[int, Hashable], ...]
    tree: Any
    gaps: bool = False
    columns: tuple[tuple[Any, ...] | None, ...] = ()
    concrete: Mapping[int, np.ndarray] = field(default_factory=dict)
    shards: Shards | None = None
    classes: Classes = Classes()

    def holding(self, numbers: Iterable[int]) -> Call:
        """The call with these arrays concrete."""
        return replace(self, concrete={i: np.asarray(self.arrays[i]) for i in numbers})

    @property
    def signature(self) -> Hashable:
        """Equal for calls that one compiled program serves."""
        shapes = tuple((a.shape, str(a.dtype)) for a in self.arrays)
        return (self.static, self.tree, shapes, self.gaps, self.shards)

    @property
    def pattern(self) -> Hashable:
        """Equal for calls that differ by the lengths of their arrays only."""
        kinds = tuple((a.ndim, str(a.dtype)) for a in self.arrays)
        return (self.static, self.tree, kinds, self.gaps, self.shards)

    @property
    def longest(self) -> int:
        """How many rows the longest array has."""
        return max((a.shape[0] for a in self.arrays if a.ndim), default=0)

    @property
    def widest(self) -> int:
        """How many numbers a row has of the widest of the longest arrays."""
        most = self.longest
        return max(
            (math.prod(a.shape[1:]) for a in self.arrays if a.shape[:1] == (most,)), default=0
        )

    def few(self, number: int) -> Call:
        """The call with so many rows of its longest arrays, spread over them, on one device.

        Of arrays on several devices, the first. ``gaps`` stays what it is of all.
        """
        if self.shards is not None:
            first = self.shards.first
            arrays = tuple(as_jax(first(a, number)) if in_parts(a) else a for a in self.arrays)
            return replace(self, arrays=arrays, shards=None)
        most = self.longest
        some = np.linspace(0, most - 1, number).astype(int)
        taken = (as_jax(np.asarray(a)[some]) if a.shape[:1] == (most,) else a for a in self.arrays)
        return replace(self, arrays=tuple(taken))

    @property
    def objects(self) -> tuple[Any, ...]:
        """What the model is given that is neither data nor a plain value, and so may change."""
        return tuple(leaf for _, leaf in self.static if not isinstance(leaf, SCALARS))

    def rebuild(self, arrays: tuple[Any, ...] | None = None) -> tuple[tuple[Any, ...], dict]:
        """``(args, kwargs)``, with ``arrays`` (possibly traced) in the places of the data."""
        leaves: dict[int, Any] = dict(self.static)
        given = enumerate(self.arrays if arrays is None else arrays)
        data = (self.concrete.get(i, array) for i, array in given)
        total = self.tree.num_leaves
        return self.tree.unflatten([leaves[i] if i in leaves else next(data) for i in range(total)])
