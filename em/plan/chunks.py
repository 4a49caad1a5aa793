"""The data of a run as EM has them: chunks of rows, which come last."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..families import Args, Statistics
from ..machine.shards import Shards

# Up to so many rows, size classes are two to a power of two.
_FEW_ROWS = 1 << 12


class Chunk(NamedTuple):
    """Some rows, last: ``u`` {site: (c, event..., rows)} are the coordinates of the data.

    ``known`` {site: {argument: (c, rows)}} are arguments that are data, ``seen`` {site: (c, rows)}
    is 0 where a cell is missing, ``pattern`` {site: (rows,)} says which entries of the events are
    there, ``weights`` (rows,) are row weights, ``labels`` {latent: (rows,)} the known classes, -1
    where unknown.
    """

    u: dict[str, jax.Array]
    known: dict[str, dict[str, jax.Array]]
    seen: dict[str, jax.Array]
    pattern: dict[str, jax.Array]
    weights: jax.Array
    labels: dict[str, jax.Array]


class Inner(NamedTuple):
    """The rows of an inner level: all in one chunk, and the unit (n,) of each."""

    chunk: Chunk
    owner: jax.Array


class Rows(NamedTuple):
    """The data of a run, read from the model once.

    ``chunks`` has two leading axes: turns, one after the other, and the chunks of units that are
    worked on together (what is left over is filled up with rows of weight 0). ``inner`` {level:
    rows that belong to units}, ``patterns`` {site: (P, c, e)} the distinct patterns of the entries
    that are there, ``reference`` what each site's features are measured from, ``labels`` {latent:
    (n,)} the known classes, -1 where unknown, ``log_base`` the weighted sum of the log density's
    part that depends on no parameter, ``level`` what is taken off each row's term of the objective,
    so that sums of many terms keep their digits, ``points`` {site: (m, n)} every site's numbers for
    distance-based starts, ``location`` and ``spread`` the size of the observations that a numeric
    M-step models, ``arrays`` the call's own arrays for the sites that are replayed, ``ahead``
    {site: what their densities take from the data alone}, ``pooled`` {site: statistics of
    observations beside the rows}, ``fixed`` {site: its arguments that have fixed entries},
    ``prototype`` any admissible parameters, ``shared`` {site: the totals (c, q) of the features
    whose parameters all components share}.
    """

    chunks: Chunk
    inner: dict[int, Inner]
    patterns: dict[str, jax.Array]
    reference: dict[str, Args]
    weights: jax.Array
    log_base: jax.Array
    level: jax.Array
    points: dict[str, jax.Array]
    location: jax.Array
    spread: jax.Array
    arrays: tuple[jax.Array, ...]
    ahead: dict[str, list[jax.Array]]
    pooled: dict[str, Statistics]
    fixed: dict[str, Args]
    prototype: dict[str, jax.Array]
    shared: dict[str, jax.Array]

    @property
    def num_units(self) -> int:
        """How many units there are, with those that fill up."""
        return self.weights.shape[0]

    def weights_of(self, level: int) -> jax.Array:
        """(n,) the weights of a level's rows."""
        return self.inner[level].chunk.weights if level else self.weights

    def of(self, name: str, level: int) -> tuple[jax.Array, Args, jax.Array | None, Args]:
        """A site's coordinates (c, event..., n), known arguments and seen cells; its reference.

        For sites that need all rows of a level at once, when there is but one chunk.
        """
        chunk = self.inner[level].chunk if level else jax.tree.map(lambda a: a[0, 0], self.chunks)
        return chunk.u[name], chunk.known[name], chunk.seen.get(name), self.reference[name]


def size_class(number: int) -> int:
    """So many rows, or some more: there are few such numbers, two to a power of two.

    From a few thousand on, where they would cost something, up to 32 to a power of two.
    """
    bits = (number - 1).bit_length()
    step = 1 << max(bits - (2 if number <= _FEW_ROWS else 6), 5)
    return -(-number // step) * step


class Grid(NamedTuple):
    """The steps of a chain as rows, time first: so many of so many sequences.

    ``room`` is what there is room for: steps and sequences that fill up have weight 0.
    """

    length: int
    number: int
    room: tuple[int, int]

    def fill(self, array: Any, mode: Any = "constant", library: Any = jnp) -> Any:
        """(..., n) with what fills up: 0, or (by "edge") the last steps and sequences."""
        if self.room == (self.length, self.number):
            return array
        outer = array.shape[:-1]
        apart = library.asarray(array).reshape(*outer, self.length, self.number)
        more = [(0, self.room[0] - self.length), (0, self.room[1] - self.number)]
        whole = library.pad(apart, [(0, 0)] * len(outer) + more, mode=mode)
        return whole.reshape(*outer, self.room[0] * self.room[1])

    def own(self, array: jax.Array) -> jax.Array:
        """(n, ...) without what fills up."""
        apart = array.reshape(*self.room, *array.shape[1:])[: self.length, : self.number]
        return apart.reshape(-1, *array.shape[1:])


def grid_class(length: int, number: int) -> tuple[int, int]:
    """So many steps and sequences, or some more: 4 such numbers to a power of two, 16 if many."""
    finer = 3 if length * number <= _FEW_ROWS else 5
    room = []
    for size in (length, number):
        step = 1 << max((size - 1).bit_length() - finer, 0)
        room.append(-(-size // step) * step)
    return room[0], room[1]


def in_chunks(
    array: jax.Array,
    shape: tuple[int, ...],
    mode: str = "constant",
    shards: Shards | None = None,
) -> jax.Array:
    """(..., n) to (turns, together, ..., size), filled up with 0 (or, by "edge", the last row).

    Of rows on several devices each has its own chunks in every turn, and its part is filled up.
    """
    parts = 1 if shards is None else shards.number
    outer, n = array.shape[:-1], array.shape[-1]
    turns, together, size = shape
    if together == 1 or parts == 1:
        left_over = math.prod(shape) - n
        padded = jnp.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, left_over)], mode=mode)
        found = jnp.moveaxis(padded.reshape(*outer, *shape), (-3, -2), (0, 1))
        return found if shards is None else shards.lay(found, -1)
    assert shards is not None
    split = shards.lay(array.reshape(*outer, parts, n // parts), -2)
    room = math.prod(shape) // parts - n // parts
    padded = jnp.pad(split, [(0, 0)] * array.ndim + [(0, room)], mode=mode)
    found = padded.reshape(*outer, parts, turns, together // parts, size)
    found = shards.lay(jnp.moveaxis(found, (-3, -4, -2), (0, 1, 2)), 1)
    return shards.lay(found.reshape(turns, together, *outer, size), 1)


def in_order(array: jax.Array, num_rows: int, shards: Shards | None = None) -> jax.Array:
    """(turns, together, size) to (n,)."""
    if shards is None or array.shape[1] == 1:
        return array.reshape(-1)[:num_rows]
    turns, together, size = array.shape
    parts = shards.number
    split = jnp.moveaxis(array.reshape(turns, parts, together // parts, size), 1, 0)
    return shards.lay(split.reshape(parts, -1)[:, : num_rows // parts].reshape(-1), 0)
