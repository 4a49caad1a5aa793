"""What EM's steps compute, apart from any model: compiled once for all readings that are alike.

Where every argument of a program's sites is parameters directly, its steps are a function of the
plan (families, places of parameters, ties, rungs) and of the rows alone. Other models of the same
plan, and other numbers of rows of one size class, find there what was compiled.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions.constraints import Constraint

from ..families import Family
from ..machine.jit import effort, quick_jit
from ..machine.kept import Compiled
from ..machine.recent import Recent
from ..plan.chunks import Rows, in_chunks, in_order, size_class
from ..plan.program import Program
from ..plan.resize import of_size
from ..read.chains.chain import Chain
from ..read.latents import Latent, Level
from ..read.structure import Data, Parameter
from ..rows import row_density
from ..rows.distinct import distinct

_kept: Recent[Compiled] = Recent(64)
_keys: weakref.WeakKeyDictionary[Program, Hashable] = weakref.WeakKeyDictionary()
# How many rows there are is no part of a plan.
_OF_ROWS = {
    Data: {"shape", "repeats"},
    Latent: {"rows", "row_dims", "batch_rank"},
    Level: {"rows", "row_dims"},
    Chain: {"length", "number", "bound"},
    Parameter: {"support"},
}


def compiled(program: Program, name: Hashable, make: Callable[[], Any]) -> Any:
    """What ``make`` gives: made once for the program's model, or for its plan where that is all."""
    if not program.alone:
        return program.compiled(name, make)
    key = _keys.get(program)
    if key is None:
        key = _keys[program] = plan_key(program)
    found = _kept.get(key)
    if found is None:
        found = Compiled()
        _kept.keep(key, found)
    return found(name, make)


def stand_in(program: Program, rows: Rows, pool: bool = False) -> tuple[Program, Rows]:
    """The program and the rows to climb by: fewer that say the same, or what others use as well.

    Where rows are worked out one by one and many are alike, each kind is one row with the weight of
    all (``pool``). Where steps need the model, the rows are filled up to those of a size class, of
    which other numbers of rows make use.
    """
    n = program.num_rows
    if not _separable(program, rows):
        return program, rows
    kinds = distinct(rows.arrays, n) if pool else None
    found = None if kinds is None else of_size(program, size_class(len(kinds.first)))
    if found is not None and kinds is not None:
        return found, _chosen(program, found, rows, kinds.first, kinds.sums(rows.weights))
    if program.alone or rows.chunks.weights.shape[:2] != (1, 1):
        return program, rows
    found = of_size(program, size_class(n))
    if found is None or found is program:
        return program, rows
    return found, _chosen(program, found, rows, np.arange(n), np.asarray(rows.weights))


def some(program: Program, rows: Rows, number: int) -> tuple[Program, Rows] | None:
    """About so many of the rows, by their places; None if these are fewer, or hang together."""
    n, m = program.num_rows, size_class(number)
    found = of_size(program, m) if n > m and _separable(program, rows) else None
    if found is None:
        return None
    places = np.linspace(0, n - 1, m).astype(int)
    return found, _chosen(program, found, rows, places, np.asarray(rows.weights)[places])


def _separable(program: Program, rows: Rows) -> bool:
    """Whether rows may be taken by themselves: their reference may be the order of all, say."""
    entries = jax.tree.leaves(rows.reference)
    return program.shards is None and not any(program.num_rows in v.shape for v in entries)


def _chosen(
    program: Program, found: Program, rows: Rows, places: np.ndarray, weights: np.ndarray
) -> Rows:
    """The rows at these places with other weights, filled up to as many as ``found`` has."""
    n, more = program.num_rows, found.num_rows - len(places)
    places = np.pad(places, (0, more), mode="edge")
    filled: Any = np.pad(weights, (0, more))

    def taken(array: Any) -> Any:
        return np.asarray(array)[..., places]

    def of_chunks(array: Any) -> Any:
        """One chunk; its rows come last, and the chunks' two axes first."""
        whole = np.moveaxis(np.asarray(array), (0, 1), (-3, -2))
        return taken(whole.reshape(*whole.shape[:-3], -1))[None, None]

    def own(array: Any) -> Any:
        """Of the model: its rows are where there are n."""
        axis = array.shape.index(n) if n in array.shape else None
        return array if axis is None else np.asarray(array).take(places, axis)

    arrays = tuple(map(own, rows.arrays))
    ahead = found.compiled("ahead", lambda: quick_jit(found, partial(row_density.ahead, found)))
    return rows._replace(
        chunks=jax.tree.map(of_chunks, rows.chunks)._replace(weights=filled[None, None]),
        weights=filled,
        points={name: taken(v) for name, v in rows.points.items()},
        arrays=arrays,
        ahead=ahead(arrays) if rows.ahead else {},
    )


def given(program: Program, rows: Rows) -> Rows:
    """The rows as the engine takes them: without what belongs to a model, of one size class.

    Rows that fill up have weight 0; numbers of theirs are those of the last row.
    """
    if not program.alone:
        return rows
    more = rows.chunks.weights.size - rows.weights.size
    if more and program.shards is not None:
        fill = program.compiled("filled", lambda: jax.jit(partial(_filled, program)))
        rows = fill(rows)
    elif more:
        library = np if jax.default_backend() == "cpu" else jnp
        fill = partial(filled_up, program, rows.chunks.weights.size, library=library)
        points = {n: fill(v) for n, v in rows.points.items()}
        rows = rows._replace(weights=fill(rows.weights, "constant"), points=points)
    return rows._replace(arrays=())


def filled_up(
    program: Program, number: int, array: Any, mode: Any = "edge", library: Any = np
) -> Any:
    """(..., number) of (..., n): the last again and again, or (by "constant") 0."""
    if program.grid is not None:
        return program.grid.fill(array, mode, library)
    more = number - array.shape[-1]
    return library.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, more)], mode=mode)


def _filled(program: Program, rows: Rows) -> Rows:
    """The rows on each of several devices filled up there."""
    shape, shards = rows.chunks.weights.shape, program.shards

    def fill(array: jax.Array, mode: str = "edge") -> jax.Array:
        chunks = in_chunks(jnp.atleast_2d(array), shape, mode, shards)
        flat = jax.vmap(lambda a: in_order(a, a.size, shards), 2)(chunks)
        return flat.reshape(*array.shape[:-1], -1)

    points = {n: fill(v) for n, v in rows.points.items()}
    return rows._replace(weights=fill(rows.weights, "constant"), points=points)


def plan_key(program: Program) -> Hashable:
    """All that the steps of a program depend on, but for rows and their number."""
    own = (
        program.structure.latents,
        program.structure.levels,
        program.structure.parameters,
        program.structure.chain,
        None if program.grid is None else program.grid.room,
        program.sites,
        program.priors,
        program.blocks,
        program.linear,
        program.direct,
        program.bounds,
        program.constant,
        frozenset(program.pools),
        program.varies,
        program.shards,
        program.num_rows <= program.num_components,
        effort(program),
        (jax.default_backend(), jax.config.jax_default_device, jax.config.jax_enable_x64),
    )
    return _facts(own)


def _facts(value: Any) -> Hashable:
    """What is the same for two plans that compute the same."""
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, Family | Constraint):
        return (type(value), _facts(vars(value)))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        skipped = _OF_ROWS.get(type(value), ())
        own = (f.name for f in dataclasses.fields(value) if f.name not in skipped)
        return (type(value), *(_facts(getattr(value, name)) for name in own))
    if isinstance(value, Mapping):
        return tuple((name, _facts(v)) for name, v in value.items())
    if isinstance(value, tuple):
        return (type(value), *map(_facts, value))
    return value
