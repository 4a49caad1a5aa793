"""Which cells share a value of an argument, and which have one that is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Ties(NamedTuple):
    """How one argument is shared: equal ``groups`` (k, c) share a value, ``fixed`` ones are given.

    ``alike`` says that whatever is given is the same in all components. Textbook estimators are
    written once, in (k, c) layout; ``pool`` replaces every statistic by the total over the cells
    that share the parameter.
    """

    groups: np.ndarray
    fixed: np.ndarray
    alike: bool = False

    @property
    def across_components(self) -> np.ndarray:
        """(k, c): whether the value is fixed or shared with every other component."""
        k = self.groups.shape[0]
        held = [len(set(np.nonzero(self.groups == g)[0])) == k for g in self.groups.flat]
        shared = np.reshape(held, self.groups.shape) & (k > 1)
        return shared | self.fixed

    @property
    def one(self) -> bool:
        """Whether every cell has the value of the same cell of all other components."""
        same = len(self.groups) > 1 and (self.groups == self.groups[:1]).all()
        return bool(same and (self.alike or not self.fixed.any()))

    @property
    def sharing(self) -> np.ndarray:
        """(k, c) like ``groups``, but every fixed cell is a group of its own."""
        alone = -1 - np.arange(self.groups.size).reshape(self.groups.shape)
        return np.where(self.fixed, alone, self.groups)

    @property
    def alone(self) -> bool:
        """Whether every cell has a free value of its own."""
        return not self.fixed.any() and len(np.unique(self.groups)) == self.groups.size

    def within(self, other: Ties) -> bool:
        """Whether cells that share this argument's free value share the other argument too."""
        free = ~self.fixed
        pairs = set(zip(self.groups[free], other.groups[free], strict=True))
        return len(pairs) == len(set(self.groups[free]))

    def wholly_within(self, other: Ties) -> bool:
        """`within`, and cells that share the other's free value are all free or all fixed here."""
        free = other.groups[~other.fixed]
        mixed = [len(set(self.fixed[other.groups == group])) > 1 for group in free]
        return self.within(other) and not any(mixed)

    def pool(self, values: jax.Array) -> jax.Array:
        """The group totals of ``values`` (k, c, ...), in the same layout."""
        unique, inverse = np.unique(self.groups, return_inverse=True)
        if len(unique) == self.groups.size:
            return values
        tail = values.shape[2:]
        flat = jnp.broadcast_to(values, self.groups.shape + tail).reshape(-1, *tail)
        totals = jax.ops.segment_sum(flat, inverse.ravel(), len(unique))
        return totals[inverse.ravel()].reshape(self.groups.shape + tail)

    def largest(self, values: jax.Array) -> jax.Array:
        """The largest of ``values`` (k, c) in each group, in the same layout."""
        unique, inverse = np.unique(self.groups, return_inverse=True)
        if len(unique) == self.groups.size:
            return values
        largest = jax.ops.segment_max(values.ravel(), inverse.ravel(), len(unique))
        return largest[inverse.ravel()].reshape(self.groups.shape)

    def choose(self, new: jax.Array, old: jax.Array) -> jax.Array:
        """``new`` where the argument is free, ``old`` where it is fixed."""
        if not self.fixed.any():
            return new
        fixed = self.fixed.reshape(self.fixed.shape + (1,) * (new.ndim - 2))
        return jnp.where(fixed, old, new)


def each_by_itself(fixed: np.ndarray) -> Ties:
    """Every cell (k, c) with a value of its own, some of them ``fixed``."""
    return Ties(np.arange(fixed.size).reshape(fixed.shape), fixed)


def by_cell(args: Mapping[str, Any]) -> dict[str, Ties]:
    """Ties of arguments (k, c, ...) by which the components share a cell's value."""
    found = {}
    for name, value in args.items():
        shape = value.shape[:2]
        found[name] = Ties(np.broadcast_to(np.arange(shape[1]), shape), np.zeros(shape, bool))
    return found
