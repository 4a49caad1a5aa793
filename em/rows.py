"""The data of a run, read from the model once and laid out in chunks of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from . import layout
from .families import Args, Ties, standardise
from .program import Program, StatisticalSite

# A chunk's features should stay in the cache, but a chunk of few rows costs in dispatch: about
# this many bytes, and no fewer rows than these unless that would take eight times the bytes.
_CHUNK_BYTES = {"cpu": 1 << 22}
_CHUNK_BYTES_ELSEWHERE = 1 << 29
_CHUNK_ROWS = 1 << 12


class Chunk(NamedTuple):
    """Some rows, last: ``u`` {site: (c, event..., rows)} are the coordinates of the data.

    ``known`` {site: {argument: (c, rows)}} are arguments that are data, ``weights`` (rows,) row
    weights, ``labels`` (rows,) the known components, -1 where unknown.
    """

    u: dict[str, jax.Array]
    known: dict[str, dict[str, jax.Array]]
    weights: jax.Array
    labels: jax.Array | None


class Rows(NamedTuple):
    """The data of a run, read from the model once.

    ``chunks`` has a leading axis of m chunks (the last one filled up with rows of weight 0),
    ``reference`` what each site's features are measured from, ``log_base`` the weighted sum of
    the log density's part that depends on no parameter, ``points`` (n, m) every site's numbers
    for distance-based starts, ``location`` and ``spread`` the size of the observations that a
    numeric M-step models, ``arrays`` the call's own arrays for the sites that are replayed.
    """

    chunks: Chunk
    reference: dict[str, Args]
    weights: jax.Array
    labels: jax.Array | None
    log_base: jax.Array
    points: jax.Array
    location: jax.Array
    spread: jax.Array
    arrays: tuple[jax.Array, ...]


def prepare(program: Program, arrays: tuple) -> Rows:
    """Read the observations out of the model (see `Rows`)."""
    latent = program.structure.latent
    params = program.probe_values
    trace = program.run(params, arrays, 0)
    args = program.arguments(params, arrays)
    weights, labels = program.row_weights(arrays), program.labels(arrays)
    u: dict[str, jax.Array] = {}
    known: dict[str, dict[str, jax.Array]] = {}
    reference: dict[str, Args] = {}
    views, modelled = [], [jnp.zeros((0,))]
    log_base = jnp.zeros(())
    for site, data in zip(program.sites, program.structure.data, strict=True):
        values = layout.site_values(trace[site.name], latent, data)
        if site.name in program.numeric:
            modelled.append(values.ravel())
        if not isinstance(site, StatisticalSite):
            views.append(standardise(values, weights))
            continue
        family, fn = site.family, layout.family_of(trace[site.name])
        known[site.name] = {
            n: jnp.broadcast_to(
                layout.argument(jnp.asarray(getattr(fn, n)), latent, data, 0).T,
                (values.shape[0], program.num_rows),
            ).astype(values.dtype)
            for n in family.known
        }
        tie = site.ties or _untied(args[site.name])
        reference[site.name] = family.reference(values, weights, args[site.name], tie)
        per_cell = family.base(values, known[site.name], reference[site.name])
        log_base = log_base + jnp.where(weights > 0, weights * per_cell, 0).sum()
        u[site.name] = family.coordinates(values, reference[site.name])
        views.append(family.view(u[site.name], weights, reference[site.name]))
    size = _chunk_size(program, Chunk(u, known, weights, labels), reference)
    chunks = Chunk(
        u={n: _split(v, size) for n, v in u.items()},
        known={n: {a: _split(v, size) for a, v in k.items()} for n, k in known.items()},
        weights=_split(weights, size, "constant"),
        labels=None if labels is None else _split(labels, size),
    )
    numbers = jnp.concatenate(modelled)
    location, spread = jnp.zeros(()), jnp.ones(())
    if numbers.size:
        location = numbers.mean()
        spread = jnp.sqrt(((numbers - location) ** 2).mean())
    points = jnp.concatenate(views).astype(weights.dtype).T
    return Rows(chunks, reference, weights, labels, log_base, points, location, spread, arrays)


def _chunk_size(program: Program, rows: Chunk, reference: Mapping[str, Args]) -> int:
    """How many rows a chunk has: its features and responsibilities stay in the cache.

    All of them where something else works row by row anyway.
    """
    if program.needs_rows or not program.statistical:
        return program.num_rows
    shapes = jax.eval_shape(lambda: program.features(rows, reference))
    width = sum(f.shape[0] for f in shapes.values()) + 3 * program.num_components
    budget = _CHUNK_BYTES.get(jax.default_backend(), _CHUNK_BYTES_ELSEWHERE)
    budget //= width * rows.weights.dtype.itemsize
    size = max(budget, min(_CHUNK_ROWS, 8 * budget), 64)
    return -(-program.num_rows // -(-program.num_rows // size))


def _split(array: jax.Array, size: int, mode: str = "edge") -> jax.Array:
    """(..., n) to (m, ..., size); what is left over repeats the last row (or is 0)."""
    n = array.shape[-1]
    m = -(-n // size)
    padding = [(0, 0)] * (array.ndim - 1) + [(0, m * size - n)]
    padded = jnp.pad(array, padding, mode=mode) if m * size > n else array
    return jnp.moveaxis(padded.reshape(*array.shape[:-1], m, size), -2, 0)


def _untied(args: Args) -> dict[str, Ties]:
    """Ties for arguments that are functions: the components share a cell's centre and spread."""
    return {
        n: Ties(np.broadcast_to(np.arange(v.shape[1]), v.shape[:2]), np.zeros(v.shape[:2], bool))
        for n, v in args.items()
    }
