"""Starting responsibilities of all levels: units, rows within them, and each latent class."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..families import standardise
from ..plan.chunks import Rows, in_order
from ..plan.program import Program
from .starts import Found, Revising, Start


class Begun(NamedTuple):
    """Starting responsibilities of the units (n, k), and of rows within them, given the units'."""

    units: jax.Array
    given: dict[int, jax.Array]


def begin(
    program: Program,
    rows: Rows,
    start: Start,
    hard: bool,
    key: jax.Array,
    number: jax.Array | int = 0,
) -> Begun:
    """Starting responsibilities of all levels, of the start with this number, counted from 0.

    Where an argument of a site varies by row, or units are no more than components, rows are no
    clusters of points: a start that looks for these takes turns with another.
    """
    few = program.num_rows <= program.num_components  # their groups are always the same
    if start.elsewhere is not None and (few or program.varies):
        ways = [partial(_begin, program, rows, way, hard) for way in (start.elsewhere, start)]
        return jax.lax.cond(jnp.asarray(number) % 2 == 0, *ways, key)
    return _begin(program, rows, start, hard, key)


def revised(
    program: Program, rows: Rows, start: Start, hard: bool, key: jax.Array, found: Found
) -> jax.Array:
    """(n, k) starting responsibilities of the units, of those that were found."""
    assert isinstance(start, Revising)
    points = _points(program, rows, 0, None)
    return start.revise(found.responsibilities, points, rows.weights, key, hard)


def _begin(program: Program, rows: Rows, start: Start, hard: bool, key: jax.Array) -> Begun:
    keys = jax.random.split(key, 1 + len(rows.inner))
    units = _level_start(program, rows, start, hard, keys[0], 0)
    return Begun(units, _within(program, rows, start, hard, keys[1:]))


def _within(
    program: Program, rows: Rows, start: Start, hard: bool, keys: jax.Array
) -> dict[int, jax.Array]:
    """{level: (k, n)} starting responsibilities of rows, the same whatever their unit's class."""
    given = {}
    for (level, inner), key in zip(rows.inner.items(), keys, strict=True):
        if program.structure.levels[level].num_classes == 1:
            n = inner.owner.shape[0]
            given[level] = jnp.ones((program.num_components, n), rows.weights.dtype)
        else:
            own = _level_start(program, rows, start, hard, key, level)
            given[level] = jnp.tile(own.T, (program.num_components, 1))
    return given


def _level_start(
    program: Program, rows: Rows, start: Start, hard: bool, key: jax.Array, level: int
) -> jax.Array:
    """(n, k) over the combinations of a level's own classes.

    Classes that no observed site shares start on their own sites' numbers, each by itself; the
    others together, as combinations.
    """
    latents = [z for z in program.structure.latents if z.level == level]
    names = {z.name for z in latents}
    seen = [(d.depends & names, d.name) for d in program.structure.data if d.depends & names]
    if len(latents) > 1 and all(len(touched) == 1 for touched, _ in seen):
        total = None
        for latent in latents:
            key, sub = jax.random.split(key)
            sites = [name for touched, name in seen if touched == {latent.name}]
            points = _points(program, rows, level, sites)
            own = _responsibilities(
                program, rows, points, latent.num_components, start, hard, sub, level, latent.name
            )
            both = own if total is None else total[:, :, None] * own[:, None, :]
            total = both.reshape(both.shape[0], -1)
        assert total is not None
        return total
    size = program.structure.levels[level].num_classes
    points = _points(program, rows, level, None)
    name = latents[0].name if len(latents) == 1 else None
    return _responsibilities(program, rows, points, size, start, hard, key, level, name)


def _points(program: Program, rows: Rows, level: int, sites: list[str] | None) -> jax.Array:
    """(n, m) the numbers of a level's rows; of units also the means and spreads of their rows."""
    own = [
        rows.points[d.name].T
        for d in program.structure.data
        if d.level == level and (sites is None or d.name in sites)
    ]
    if level == 0:
        for number, inner in rows.inner.items():
            values = [rows.points[d.name].T for d in program.structure.data if d.level == number]
            if not values or sites is not None:
                continue
            x = jnp.concatenate(values, 1)
            size = jax.ops.segment_sum(jnp.ones_like(x[:, 0]), inner.owner, rows.num_units)
            size = jnp.maximum(size, 1)[:, None]
            mean = jax.ops.segment_sum(x, inner.owner, rows.num_units) / size
            square = jax.ops.segment_sum(x**2, inner.owner, rows.num_units) / size
            spread = jnp.sqrt(jnp.maximum(square - mean**2, 0))
            own += [standardise(v.T, rows.weights).T for v in (mean, spread)]
    if not own:
        return jnp.zeros((len(rows.weights_of(level)), 1), rows.weights.dtype)
    return jnp.concatenate(own, 1)


def _responsibilities(
    program: Program,
    rows: Rows,
    points: jax.Array,
    k: int,
    start: Start,
    hard: bool,
    key: jax.Array,
    level: int = 0,
    latent: str | None = None,
) -> jax.Array:
    """(n, k) starting responsibilities of a level's rows from their points (n, m)."""
    chunk = rows.inner[level].chunk if level else None
    weights = rows.weights if chunk is None else chunk.weights
    known = chunk.labels if chunk is not None else rows.chunks.labels
    labels = None
    if latent in known:
        labels = in_order(known[latent], len(weights), program.shards)
    return start.responsibilities(points, weights, labels, k, key, hard)
