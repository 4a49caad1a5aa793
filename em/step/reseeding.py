"""Give an emptied cluster the row that is explained worst (hard assignment only)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..plan.chunks import Chunk, Rows, in_order
from ..plan.program import Program
from .expectation import Expectation


def reseed(program: Program, expected: Expectation, rows: Rows) -> tuple[Expectation, jax.Array]:
    """Move the worst rows, one each, to the components that have none; and how many moved.

    Only rows whose component keeps others move, and never one with a known label.
    """
    k = program.num_components
    chained = program.structure.chain is not None  # no row moves alone
    if chained or k > rows.num_units or rows.inner or len(program.structure.latents) > 1:
        return expected, jnp.zeros((), jnp.int32)
    empty = expected.counts <= 0
    return jax.lax.cond(
        empty.any(),
        lambda e: _move(program, e, empty, rows),
        lambda e: (e, jnp.zeros((), jnp.int32)),
        expected,
    )


def _move(
    program: Program, expected: Expectation, empty: jax.Array, rows: Rows
) -> tuple[Expectation, jax.Array]:
    k = program.num_components
    assigned, cost = _present(expected.labels), _present(expected.row_objective)
    for labels in rows.chunks.labels.values():
        cost = jnp.where(in_order(labels, rows.num_units, program.shards) >= 0, jnp.inf, cost)
    members = jax.ops.segment_sum(jnp.ones_like(cost), assigned, k)
    # The best-explained row of each component stays, so that none is emptied in turn.
    best = jax.ops.segment_max(jnp.where(jnp.isfinite(cost), cost, -jnp.inf), assigned, k)
    stays = (cost >= best[assigned]) | (members[assigned] <= 1)
    worth, worst = jax.lax.top_k(-jnp.where(stays, jnp.inf, cost), k)
    rank = jnp.cumsum(empty) - 1
    chosen = worst[jnp.clip(rank, 0, k - 1)]
    moves = empty & jnp.isfinite(worth[jnp.clip(rank, 0, k - 1)])
    old = assigned[chosen]
    weight = jnp.where(moves, rows.weights[chosen], 0)
    # (k, k): component j gains row chosen[j], component old[j] loses it.
    change = (
        jnp.eye(k, dtype=weight.dtype) - jax.nn.one_hot(old, k, dtype=weight.dtype).T
    ) * weight
    some = Chunk(
        u={n: _take(v, chosen) for n, v in rows.chunks.u.items()},
        known={
            n: {a: _take(v, chosen) for a, v in k.items()} for n, k in rows.chunks.known.items()
        },
        seen={n: _take(v, chosen) for n, v in rows.chunks.seen.items()},
        pattern={n: _take(v, chosen) for n, v in rows.chunks.pattern.items()},
        weights=weight,
        labels={},
    )
    features = program.features(some, rows.reference, augmented=True)
    counts = expected.counts + change.sum(1)
    sums = {s: total + change @ features[s].T for s, total in expected.sums.items()}
    place = jnp.where(moves, chosen, rows.num_units)
    labels = assigned.at[place].set(jnp.arange(k), mode="drop")
    responsibilities = {
        level: jax.nn.one_hot(labels, k, dtype=resp.dtype, axis=0)
        for level, resp in expected.responsibilities.items()
    }
    new = expected._replace(
        counts=counts, sums=sums, labels=labels, responsibilities=responsibilities
    )
    return new, moves.sum().astype(jnp.int32)


def _present(array: jax.Array | None) -> jax.Array:
    assert array is not None, "hard assignment keeps labels and costs"
    return array


def _take(array: jax.Array, places: jax.Array) -> jax.Array:
    """Rows of an array in chunks (turns, together, ..., size), rows last again."""
    _, together, *_, size = array.shape
    chunk = places // size
    rows = jnp.moveaxis(array, -1, 2)[chunk // together, chunk % together, places % size]
    return jnp.moveaxis(rows, 0, -1)
