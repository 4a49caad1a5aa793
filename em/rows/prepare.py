"""The data of a run, read from the model once and laid out in chunks of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..families import Args, Augmented, RowFamily, Statistics, by_cell, standardise
from ..plan import pooling
from ..plan.blocks import FamilySite, StatisticalSite
from ..plan.chunks import Chunk, Inner, Rows, in_chunks, size_class
from ..plan.program import Program
from ..plan.regression import design
from ..read import layout
from ..read.structure import Data
from ..read.units import owners as owners_of
from . import point, row_density
from .shared import own_features, totals

# What an E-step holds of a turn's rows, about.
_TURN_BYTES = {"cpu": 1 << 24}
_TURN_BYTES_ELSEWHERE = 1 << 29
# A turn is a batch of so many chunks, which the cores share out among them: chunks of so many rows
# at least, if these fit into a core's own cache.
_TOGETHER = {"cpu": 16}
_CHUNK_ROWS = 1 << 10
_CORE_BYTES = 1 << 22
# Wider rows by so many chunks of so many rows each.
_WIDE_CHUNKS, _WIDE_ROWS = {"cpu": 2}, 1 << 9


class _SiteRows(NamedTuple):
    """What one site contributes to `Rows`."""

    u: jax.Array
    known: dict[str, jax.Array]
    seen: jax.Array | None
    reference: Args
    log_base: jax.Array
    view: jax.Array


def prepare(
    program: Program,
    arrays: tuple,
    used: jax.Array | None = None,
    reference: Mapping[str, Args] | None = None,
    trace: dict | None = None,
) -> Rows:
    """Read the observations out of the model (see `Rows`); to be compiled.

    ``used`` (n,) is 0 for units that only fill up; features are measured from ``reference`` if it
    is given, rather than from what these rows would have; ``trace`` is that of `Reader.probed` if
    it is there already. `find_patterns` has to follow, on the host.
    """
    args = program.arguments(program.probe_values, arrays)
    trace = program.probed(arrays) if trace is None else trace
    unit_weights = program.row_weights(trace)
    if used is not None:  # a weight that is not finite stays so, to be refused
        used = jnp.tile(used, len(unit_weights) // len(used))  # of the steps of a chain
        unit_weights = jnp.where(used > 0, unit_weights, 0)
    owners = {level: owners_of(program, arrays, level) for level in program.inner_levels}
    weights = {0: unit_weights} | {level: unit_weights[o] for level, o in owners.items()}
    found: dict[str, _SiteRows] = {}
    points: dict[str, jax.Array] = {}
    modelled = [jnp.zeros((0,))]
    for site, data in zip(program.sites, program.structure.data, strict=True):
        values = layout.site_values(trace[site.name], program.structure.level_of(data), data)
        seen = None
        if data.holes:
            seen = layout.site_observed(trace[site.name], program.structure.level_of(data), data)
            values = _filled(values, seen, data)
        if site.name in program.numeric:
            modelled.append(values.ravel())
        if isinstance(site, FamilySite):
            if site.name in program.linear:
                covariates, offset = design(program, data, program.linear[site.name], arrays)
                values = jnp.concatenate([values - offset, covariates])[None]
            weight = weights[data.level]
            own = None if reference is None else reference[site.name]
            rows = _site_rows(program, site, trace[site.name], values, seen, weight, args, own)
            found[site.name] = rows
            points[site.name] = rows.view
        else:
            points[site.name] = standardise(values, weights[data.level])
    level_of = {d.name: d.level for d in program.structure.data}
    whole = {
        level: _chunk(found, weight, program.labels(arrays, level), level_of, level)
        for level, weight in weights.items()
    }
    own_reference = {n: f.reference for n, f in found.items()}
    shape = _shape(program, whole[0], own_reference)
    shards = program.shards
    grid, filled = program.grid, whole[0]
    if grid is not None:
        filled = jax.tree.map(lambda a: grid.fill(a, "edge"), filled)
    chunks = jax.tree.map(lambda a: in_chunks(a, shape, "edge", shards), filled)
    numbers = jnp.concatenate(modelled)
    location, spread = jnp.zeros(()), jnp.ones(())
    if numbers.size:
        location = numbers.mean()
        spread = jnp.sqrt(((numbers - location) ** 2).mean())
    dtype = unit_weights.dtype
    rows_ = Rows(
        chunks=chunks._replace(weights=weights_in_chunks(program, unit_weights, shape)),
        inner={level: Inner(whole[level], owner) for level, owner in owners.items()},
        patterns={},
        reference=own_reference,
        weights=unit_weights,
        log_base=sum((f.log_base for f in found.values()), jnp.zeros(())),
        level=jnp.zeros((), dtype),
        points={n: v.astype(dtype) for n, v in points.items()},
        location=location,
        spread=spread,
        arrays=arrays,
        ahead=row_density.ahead(program, arrays),
        pooled={n: _pooled(program, n, own_reference, arrays, dtype) for n in program.pools},
        fixed=point.fixed(program, args),
        prototype=program.prototype(arrays),
        shared={},
    )
    return rows_._replace(shared=totals(program, rows_))


def weights_in_chunks(program: Program, weights: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The weights (n,) of units in chunks; what fills up has none."""
    own = weights if program.grid is None else program.grid.fill(weights)
    return in_chunks(own, shape, shards=program.shards)


def _pooled(
    program: Program, name: str, reference: Mapping[str, Args], arrays: tuple, dtype: Any
) -> Statistics:
    (site,) = (s for s in (*program.priors, *program.sites) if s.name == name)
    assert isinstance(site, StatisticalSite)
    own = reference.get(name)
    if own is None:  # a prior: its data are the classes
        classes = jnp.zeros((1, 1), dtype)
        args = program.arguments(program.probe_values, arrays)[name]
        own = site.family.reference(classes, jnp.ones((1,), dtype), args, site.ties or {})
    parts = [pooling.statistics(program, p, site, own, arrays, dtype) for p in program.pools[name]]
    return jax.tree.map(lambda *v: sum(v), *parts)


def _chunk(
    found: Mapping[str, _SiteRows],
    weights: jax.Array,
    labels: dict[str, jax.Array],
    level_of: Mapping[str, int],
    level: int,
) -> Chunk:
    own = {n: f for n, f in found.items() if level_of[n] == level}
    return Chunk(
        u={n: f.u for n, f in own.items()},
        known={n: f.known for n, f in own.items()},
        seen={n: f.seen for n, f in own.items() if f.seen is not None},
        pattern={},
        weights=weights,
        labels=labels,
    )


def _site_rows(
    program: Program,
    site: FamilySite,
    message: dict,
    values: jax.Array,
    seen: jax.Array | None,
    weights: jax.Array,
    args: Mapping[str, Args],
    reference: Args | None,
) -> _SiteRows:
    assert site.data is not None
    family, data, fn = site.family, site.data, layout.family_of(message)
    rows = program.structure.level_of(data)
    known = {
        n: jnp.broadcast_to(
            layout.argument(jnp.asarray(getattr(fn, n)), rows, data, 0).T,
            (values.shape[0], rows.num_rows),
        ).astype(values.dtype)
        for n in family.known
    }
    tie = site.ties or by_cell(args[site.name])
    if reference is None:
        reference = family.reference(values, weights, args[site.name], tie)
    per_cell = jnp.zeros(())
    if isinstance(family, RowFamily):
        seen = None if seen is None else _whole_cells(seen).astype(values.dtype)
        if site in program.scored:
            per_cell = family.base(values, known, reference) * (1 if seen is None else seen)
    elif seen is None:
        per_cell = family.base(values, known, reference)
    elif isinstance(family, Augmented):
        seen = seen.astype(values.dtype)
        per_cell = family.base_of(seen, reference)
    else:
        seen = _whole_cells(seen).astype(values.dtype)
        per_cell = family.base(values, known, reference) * seen
    log_base = jnp.where(weights > 0, weights * per_cell, 0).sum()
    u = family.coordinates(values, reference)
    return _SiteRows(u, known, seen, reference, log_base, family.view(u, known, weights, reference))


def _whole_cells(seen: jax.Array) -> jax.Array:
    """(c, event..., n) to (c, n): a cell counts where all of its event is there."""
    return seen.all(tuple(range(1, seen.ndim - 1)))


def _filled(values: jax.Array, seen: jax.Array, data: Data) -> jax.Array:
    """The values (c, ..., n) with something in the place of missing ones, which never counts.

    The mean of what is there (the first of it, for counts), so that centres and starts make sense.
    """
    if not data.partial:
        cells = _whole_cells(seen)
        seen = cells.reshape(cells.shape[0], *[1] * (values.ndim - 2), cells.shape[-1])
    seen = jnp.broadcast_to(seen, values.shape)
    if data.discrete:
        place = jnp.argmax(seen, -1)[..., None]
        return jnp.where(seen, values, jnp.take_along_axis(values, place, -1))
    total = jnp.where(seen, values, 0).sum(-1, keepdims=True)
    return jnp.where(seen, values, total / jnp.maximum(seen.sum(-1, keepdims=True), 1))


def find_patterns(program: Program, rows: Rows) -> Rows:
    """The rows with the distinct patterns of missing entries, which only the host can count."""
    patterns = dict(rows.patterns)
    chunks = _with_patterns(program, rows.chunks, patterns, 2)
    inner = {
        level: part._replace(chunk=_with_patterns(program, part.chunk, patterns, 0))
        for level, part in rows.inner.items()
    }
    return rows._replace(chunks=chunks, inner=inner, patterns=patterns)


def _with_patterns(
    program: Program, chunk: Chunk, patterns: dict[str, jax.Array], lead: int
) -> Chunk:
    """A chunk (with ``lead`` axes before its own) that knows each row's pattern.

    The number of patterns is filled up to a power of two, so that data with other gaps compile
    anew rarely.
    """
    seen, pattern = dict(chunk.seen), dict(chunk.pattern)
    for name in program.augmented & set(seen):
        array = np.moveaxis(np.asarray(seen.pop(name)), -1, lead)
        flat = array.reshape(-1, *array.shape[lead + 1 :])
        distinct, which = np.unique(flat, axis=0, return_inverse=True)
        room = 1 << (len(distinct) - 1).bit_length()
        ones = np.ones((room - len(distinct), *distinct.shape[1:]), distinct.dtype)
        patterns[name] = jnp.asarray(np.concatenate([distinct, ones]))
        pattern[name] = jnp.asarray(which.reshape(array.shape[: lead + 1]))
    return chunk._replace(seen=seen, pattern=pattern)


def _shape(program: Program, rows: Chunk, reference: Mapping[str, Args]) -> tuple[int, int, int]:
    """Turns, chunks of a turn, rows of a chunk: what a turn holds stays in the cache.

    All rows in one chunk where something else works row by row anyway.
    """
    if program.structure.chain is not None:  # steps of sequences: their numbers are no others
        assert program.grid is not None
        return 1, 1, math.prod(program.grid.room)
    parts = 1 if program.shards is None else program.shards.number
    # Of rows on several devices: those of one of them.
    n = program.num_rows // parts
    n = size_class(n) if program.alone and parts == 1 else n
    if program.needs_rows or not program.statistical:
        return 1, 1, n * parts
    backend = jax.default_backend()
    bytes_a_turn = _TURN_BYTES.get(backend, _TURN_BYTES_ELSEWHERE)
    bytes_a_row = _bytes_a_row(program, rows, reference)
    turns, together = -(-n * bytes_a_row // bytes_a_turn), 1
    if bytes_a_row * _CHUNK_ROWS <= _CORE_BYTES:
        together = max(1, min(_TOGETHER.get(backend, 1), n // (turns * _CHUNK_ROWS)))
    elif turns > 1 and backend in _WIDE_CHUNKS:
        together = _WIDE_CHUNKS[backend]
        return -(-n // (together * _WIDE_ROWS)), together * parts, _WIDE_ROWS
    return turns, together * parts, -(-n // (turns * together))


def _bytes_a_row(program: Program, rows: Chunk, reference: Mapping[str, Args]) -> int:
    """What an E-step holds of a row: its features and, by component, three numbers or so."""
    # The density of partly missing events needs a matrix a row.
    own = program.augmented & set(rows.u)
    augmented = sum(rows.u[n].shape[0] * rows.u[n].shape[1] ** 2 for n in own)
    shapes = jax.eval_shape(lambda: own_features(program, rows, reference))
    width = sum(f.shape[0] for f in shapes.values()) + 3 * program.num_components + augmented
    return width * rows.weights.dtype.itemsize
