"""The E-step: responsibilities and statistics of all rows, in chunks of rows.

For sites with finite statistics the log joint of a chunk is one matrix product of its features
with the components' natural parameters, and the statistics are one product back; no array of
shape (n, k, d) exists. How a log joint becomes responsibilities (soft, hard) is a value of type
`Assign`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..classes.assignments import Assign, in_chunk
from ..classes.chain import first_pairs, smooth
from ..classes.posterior import evidence, reduce_rows, within_units
from ..families import Statistics
from ..plan.chunks import Chunk, Rows, in_chunks, in_order
from ..plan.program import Params, Program
from ..rows import point
from ..rows.shared import own_features, with_shared
from .joint import Factors, joint_of
from .sums import labels_of, sums_by_label, sums_of

# Of so many components, each row is added to its own rather than multiplied with 0 and 1 of all.
_MANY = 32


# Responsibilities (k, n) of some rows, their terms (n,) of the objective; pairs, in a chain.
type Assigned = tuple[jax.Array, jax.Array, jax.Array | None]


class Chosen(NamedTuple):
    """The component of each row (n,), and the rows' terms (n,) of the objective."""

    labels: jax.Array
    objective: jax.Array


class Expectation(NamedTuple):
    """What an E-step leaves for the M-step.

    ``counts`` (k,) sums the units' weighted responsibilities, ``inner_counts`` {level: (k,)} those
    of rows within units, ``sums`` (k, c q) each site's features: `site_statistics` makes additive
    statistics of them. Row by row only where it is needed: ``responsibilities`` {level: (k, n)}
    for densities that are replayed, ``labels`` (n,) and ``row_objective`` (n,) for hard
    assignment. In a chain ``pairs`` (m,) sums the weighted probabilities of each pair of components
    that follow one another, or has them by row (m, n) where transitions differ from row to row.
    Rows that are read batch by batch leave ``slopes`` and ``curvatures`` instead of
    responsibilities: see `quadratic.with_quadratics`.
    """

    objective: jax.Array
    counts: jax.Array
    inner_counts: dict[int, jax.Array]
    sums: dict[str, jax.Array]
    responsibilities: dict[int, jax.Array]
    labels: jax.Array | None
    row_objective: jax.Array | None
    pairs: jax.Array | None = None
    slopes: dict[str, jax.Array] | None = None
    curvatures: dict[str, jax.Array] | None = None

    def prior_counts(self, level: int) -> jax.Array:
        """(k,) the weighted number of each component of a level, or pair of them, as priors go."""
        if self.pairs is not None:
            return self.pairs if self.pairs.ndim == 1 else self.pairs.sum(1)
        return self.inner_counts[level] if level else self.counts


def e_step(program: Program, assign: Assign, params: Params, rows: Rows) -> Expectation:
    """Responsibilities at ``params``, and the statistics that they weight.

    Rows within units come first: their classes are summed out given the units' class, and what is
    left adds to the log joint of their unit. The units' responsibilities then weight theirs.
    """
    joints = {
        level: joint_of(program, params, rows, level)
        for level in range(len(program.structure.levels))
    }
    given: dict[int, jax.Array] = {}
    units = joints[0].by_row
    for level, inner in rows.inner.items():
        features = own_features(program, inner.chunk, rows.reference)
        log_joint = joints[level].of(program, inner.chunk, features, level)
        by_row = joints[level].by_row
        if by_row is not None:
            log_joint += by_row
        given[level], within = reduce_rows(program, assign, log_joint, inner.owner, level)
        units = within if units is None else units + within

    def responsibilities(
        chunk: Chunk,
        features: Mapping,
        by_row: jax.Array | None,
        factors: Factors | None,
        number: jax.Array,
    ) -> Assigned | Chosen:
        assert factors is not None
        log_joint = joints[0]._replace(factors=factors).of(program, chunk, features, 0)
        log_joint = log_joint if by_row is None else log_joint + by_row
        if choose is not None and plain and many:
            return Chosen(*choose(log_joint))
        if grid is not None:
            log_pairs = point.log_weights(program, params, rows, 0)
            return smooth(assign, log_joint, log_pairs, chunk.weights, grid.room[0])
        return (*in_chunk(assign, number)(log_joint), None)

    grid = program.grid
    contexts = {n: c for joint in joints.values() for n, c in joint.contexts.items()}
    plain = not (program.needs_rows or rows.inner or contexts or grid)
    many = program.num_components >= _MANY and jax.default_backend() == "cpu"
    choose = getattr(assign, "choose", None)
    factors, hard = joints[0].factors, assign.hard
    return _accumulate(program, rows, responsibilities, factors, units, given, contexts, hard)


def statistics_of(
    program: Program, start: jax.Array, rows: Rows, hard: bool, given: dict[int, jax.Array]
) -> Expectation:
    """The statistics of given responsibilities (n, k); labels that are known prevail.

    ``given`` {level: (k, n)} are those of the rows' classes within units, given the units' class.
    """
    start = start.T
    if rows.chunks.labels:
        labels = {
            n: in_order(v, rows.num_units, program.shards) for n, v in rows.chunks.labels.items()
        }
        allowed = jnp.exp(evidence(program, labels, 0))
        total = (start * allowed).sum(0)
        start = jnp.where(total > 0, start, 1) * allowed
        start = start / start.sum(0)

    def responsibilities(
        chunk: Chunk,
        features: Mapping,
        by_row: jax.Array | None,
        factors: Factors | None,
        number: jax.Array,
    ) -> Assigned:
        del features, factors, number
        assert by_row is not None
        pairs = None
        if program.grid is not None:
            apart = program.prior_by_row(0)
            pairs = first_pairs(by_row, chunk.weights, program.grid.room[0], apart)
        return by_row, jnp.zeros(by_row.shape[1:], by_row.dtype), pairs

    found = _accumulate(program, rows, responsibilities, None, start, given, None, hard)
    return found._replace(objective=jnp.full_like(found.objective, -jnp.inf))


def _accumulate(
    program: Program,
    rows: Rows,
    responsibilities: Callable[..., Assigned | Chosen],
    factors: Factors | None,
    by_row: jax.Array | None,
    given: Mapping[int, jax.Array],
    contexts: Mapping[str, Any] | None,
    hard: bool,
) -> Expectation:
    shape = rows.chunks.weights.shape
    turns, together, _ = shape
    keep, shards = program.needs_rows, program.shards
    # Each device adds up its own rows; all of that crosses devices once.
    parts = 1 if shards is None or together == 1 else shards.number

    def totals(
        chunk: Chunk, by_row: jax.Array | None, number: jax.Array, factors: Factors | None
    ) -> tuple[tuple, tuple]:
        # Without contexts (at a start) augmented rows count with the values they were filled with.
        features = own_features(program, chunk, rows.reference, contexts is None)
        found = responsibilities(chunk, features, by_row, factors, number)
        labels, resp, pairs = None, None, None
        if isinstance(found, Chosen):
            labels, objective = found
            counts, sums = sums_by_label(features, labels, chunk.weights, program.num_components)
            labels = jnp.where(labels < program.num_components, labels, 0)  # of NaN there is none
        else:
            resp, objective, pairs = found
            weighted = resp * chunk.weights
            counts, labels = weighted.sum(1), labels_of(resp) if hard else None
            sums = sums_of(program, chunk, features, weighted, contexts, together)
        used = chunk.weights > 0
        total = jnp.where(used, chunk.weights * (objective - rows.level), 0).sum()
        cost = jnp.where(used, objective, jnp.inf) if hard else None
        return (total, counts, sums, pairs), (labels, cost, resp if keep else None)

    def turn(chunks: Chunk, by_row: jax.Array | None, numbers: jax.Array) -> tuple[tuple, tuple]:
        if together == 1:
            chunk, own, number = jax.tree.map(lambda a: a[0], (chunks, by_row, numbers))
            found, each = totals(chunk, own, number, factors)
            return found, jax.tree.map(lambda a: a[None], each)
        # One product a chunk, batched: XLA shares a batch among cores, one wide product badly.
        copies = jax.tree.map(lambda a: jnp.broadcast_to(a, (together, *a.shape)), factors)
        every, each = jax.vmap(totals)(chunks, by_row, numbers, copies)
        return jax.tree.map(lambda a: _by_part(a, parts), every), each

    def add(carry: tuple, work: tuple) -> tuple[tuple, tuple]:
        new, each = turn(*work)
        return jax.tree.map(jnp.add, carry, new), each

    numbers = jnp.arange(turns * together).reshape(turns, together)
    work = (
        rows.chunks,
        None if by_row is None else in_chunks(by_row, shape, shards=shards),
        numbers,
    )
    first = jax.tree.map(lambda a: a[0], work)
    if turns == 1:
        found, each = turn(*first)
    else:
        zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(turn, *first)[0])
        found, each = jax.lax.scan(add, zeros, work)
    if parts > 1:
        found = jax.tree.map(lambda a: a.sum(0), found)
    objective, counts, sums, pairs = found
    labels, cost, units = each
    if hard:
        labels, cost = (in_order(a, rows.num_units, shards) for a in (labels, cost))
    units = None if units is None else units[0]  # all rows are one chunk
    kept = {} if units is None else {0: units}
    inner_counts = {}
    for level, inner in rows.inner.items():
        assert units is not None
        kept[level] = within_units(program, units, given[level], inner.owner)
        weighted = kept[level] * inner.chunk.weights
        features = own_features(program, inner.chunk, rows.reference, contexts is None)
        sums |= sums_of(program, inner.chunk, features, weighted, contexts)
        inner_counts[level] = weighted.sum(1)
    sums = with_shared({s: total.T for s, total in sums.items()}, rows)
    objective = objective + rows.log_base
    return Expectation(objective, counts, inner_counts, sums, kept, labels, cost, pairs)


def _by_part(array: jax.Array, parts: int) -> jax.Array:
    """Chunks (together, ...) added up, those of each part by themselves if there are several."""
    if parts == 1:
        return array.sum(0)
    return array.reshape(parts, -1, *array.shape[1:]).sum(1)


def site_statistics(
    program: Program, expected: Expectation, rows: Rows, only: Collection[str] | None = None
) -> dict[str, Statistics]:
    """{site: additive statistics}, as the families take them; of ``only`` these."""
    cells = {n: u.shape[2] for n, u in rows.chunks.u.items()}
    for inner in rows.inner.values():
        cells |= {n: u.shape[0] for n, u in inner.chunk.u.items()}
    counts = {0: expected.counts, **expected.inner_counts}
    found = program.statistics(counts, expected.sums, cells, only)
    return {n: with_pooled(v, n, rows) for n, v in found.items()}


def with_pooled(statistics: Statistics, name: str, rows: Rows) -> Statistics:
    """A site's statistics with those of observations beside the rows."""
    added = rows.pooled.get(name)
    return statistics if added is None else jax.tree.map(jnp.add, statistics, added)
