"""Starts are responsibilities: k-means++, random or by quantiles; the M-step does the rest."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..families import standardise
from ..plan.chunks import Rows, in_order
from ..plan.program import Params, Program
from ..step.expectation import Expectation
from ..step.expected import expected_log_likelihood
from ..step.prior import log_prior

NAMES = ("kmeans++", "random", "quantile")
_SEEDING_ROWS = 1 << 14
_SOFTNESS = 0.1
# Two tries of each guess: the jitter of starts with an even number, and of those with an odd one.
_JITTER = ((0.01, 0.3), (0.1, 1.0))


class Start(NamedTuple):
    """Starting responsibilities of the units (n, k), and of rows within them, given the units'."""

    units: jax.Array
    given: dict[int, jax.Array]


def begin(
    program: Program,
    rows: Rows,
    start: str,
    hard: bool,
    key: jax.Array,
    number: jax.Array | int = 0,
) -> Start:
    """Starting responsibilities of all levels, of the start with this number, counted from 0.

    Regressions that cross are no clusters of points, and proportions of few trials are noise
    beside those of many: where an argument of a site varies by row, every other start by
    k-means++, the first among them, is random instead. So it is where units are no more than
    components.
    """
    few = program.num_rows <= program.num_components  # their groups are always the same
    if start == "kmeans++" and (few or program.varies):
        ways = [partial(_begin, program, rows, way, hard) for way in ("random", start)]
        return jax.lax.cond(jnp.asarray(number) % 2 == 0, *ways, key)
    return _begin(program, rows, start, hard, key)


def _begin(program: Program, rows: Rows, start: str, hard: bool, key: jax.Array) -> Start:
    keys = jax.random.split(key, 1 + len(rows.inner))
    units = _level_start(program, rows, start, hard, keys[0], 0)
    return Start(units, within(program, rows, start, hard, keys[1:]))


def within(
    program: Program, rows: Rows, start: str, hard: bool, keys: jax.Array
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
    program: Program, rows: Rows, start: str, hard: bool, key: jax.Array, level: int
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
            own = responsibilities(
                program, rows, points, latent.num_components, start, hard, sub, level, latent.name
            )
            both = own if total is None else total[:, :, None] * own[:, None, :]
            total = both.reshape(both.shape[0], -1)
        assert total is not None
        return total
    size = program.structure.levels[level].num_classes
    points = _points(program, rows, level, None)
    name = latents[0].name if len(latents) == 1 else None
    return responsibilities(program, rows, points, size, start, hard, key, level, name)


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


def responsibilities(
    program: Program,
    rows: Rows,
    points: jax.Array,
    k: int,
    start: str,
    hard: bool,
    key: jax.Array,
    level: int = 0,
    latent: str | None = None,
) -> jax.Array:
    """(n, k) starting responsibilities from points (n, m).

    Soft EM starts from softened groups (each row leaves 10% to the other components), so that a
    group of one or two rows does not begin as a singular component.
    """
    chunk = rows.inner[level].chunk if level else None
    weights = rows.weights if chunk is None else chunk.weights
    known = chunk.labels if chunk is not None else rows.chunks.labels
    labels = None
    if latent in known:
        labels = in_order(known[latent], len(weights))
    dtype = weights.dtype
    if start == "random":
        # Uniform on the simplex: exponential numbers over their sum.
        draws = jax.random.exponential(key, (*weights.shape, k), dtype)
        draws /= draws.sum(-1, keepdims=True)
        return jax.nn.one_hot(draws.argmax(-1), k, dtype=dtype) if hard else draws
    if start == "quantile":
        groups = _quantile_groups(points, weights, k)
    else:
        groups = nearest(points, kmeans_plus_plus(points, weights, labels, k, key))
    softness = 0.0 if hard or k == 1 else _SOFTNESS
    one_hot = jax.nn.one_hot(groups, k, dtype=dtype)
    return (1 - softness) * one_hot + softness / k


def first_guess(
    program: Program, rows: Rows, expected: Expectation, key: jax.Array, number: jax.Array | int = 0
) -> Params:
    """Where the numeric M-steps of a start begin: the best of a few plain guesses, jittered.

    Unconstrained zeros, or parameters of the size of the observations (those on the real line at
    their mean, positive ones at their standard deviation), judged by the start's own ``expected``.
    Equal entries of one component (the parts of a mixture within a class, the units of a layer)
    would stay equal for ever: no gradient tells them apart. So every entry is moved, by a little in
    one start, by a lot in the next. Closed forms need no guess.
    """
    zero = rows.prototype
    blocks = [b for b in program.blocks if b.numeric]
    if not blocks:
        return zero
    names = tuple(n for b in blocks for n in b.parameters)
    support = {p.name: p.constraint for p in program.structure.free}
    size = {"real": rows.location, "positive": rows.spread}
    guesses, units = [], []
    for sizes in (set(), {"real"}, {"positive"}, {"real", "positive"}):
        guess = {
            n: jnp.full_like(v, size[support[n]]) for n, v in zero.items() if support[n] in sizes
        }
        guesses.append(zero | guess)
        units.append({n: rows.spread if support[n] in sizes & {"real"} else 1.0 for n in names})
    plain = _stack([guess for guess in guesses for _ in _JITTER])
    unit = _stack([unit for unit in units for _ in _JITTER])
    small, large = (jnp.asarray([pair[i] for pair in _JITTER] * len(guesses)) for i in (0, 1))
    jitter = jnp.where(jnp.asarray(number) % 2 == 0, small, large)
    parts = [expected_log_likelihood(program, b, expected, rows) for b in blocks if b.sites]

    def one(given: tuple) -> tuple[Params, jax.Array]:
        guess, unit, jitter, key = given
        start = program.unconstrain(guess, rows.arrays, names)
        keys = jax.random.split(key, len(names))
        moved = {
            n: start[n] + jitter * unit[n] * jax.random.normal(k, start[n].shape, start[n].dtype)
            for n, k in zip(names, keys, strict=True)
        }
        new = program.constrain(moved, guess, rows.arrays)
        score = sum((part(new) for part in parts), jnp.zeros(()))
        return new, score + log_prior(program, new, rows.arrays) if program.posterior else score

    tried, score = jax.lax.map(one, (plain, unit, jitter, jax.random.split(key, len(jitter))))
    finite = jnp.isfinite(score)
    best = jnp.where(finite, score, -jnp.inf).argmax()
    return jax.tree.map(lambda values, v: jnp.where(finite.any(), values[best], v), tried, zero)


def _stack(trees: list) -> Any:
    return jax.tree.map(lambda *values: jnp.stack([jnp.asarray(v) for v in values]), *trees)


def squared_distances(points: jax.Array, centres: jax.Array) -> jax.Array:
    """(n, k) squared Euclidean distances, by one matrix product."""
    cross = jnp.matmul(points, centres.T, precision="highest")
    squares = (points**2).sum(1)[:, None] - 2 * cross + (centres**2).sum(1)
    return jnp.maximum(squares, 0)


def nearest(points: jax.Array, centres: jax.Array) -> jax.Array:
    """(n,) the nearest centre of each point."""
    return squared_distances(points, centres).argmin(-1)


def kmeans_plus_plus(
    points: jax.Array, weights: jax.Array, labels: jax.Array | None, k: int, key: jax.Array
) -> jax.Array:
    """(k, m) centres by greedy k-means++: of several candidates the one that helps most.

    Arthur & Vassilvitskii (2007, SODA), section 6 for the greedy choice. Candidates are drawn
    with probability proportional to weight times squared distance; their number grows with k, so
    that among many well-separated groups none is missed. Components with known labels start at
    the mean of their rows. Large data are seeded from a random part of the rows.
    """
    centres = jnp.zeros((k, points.shape[1]), points.dtype)
    given = None
    key, sub = jax.random.split(key)
    if labels is not None:
        known = jax.nn.one_hot(labels, k, dtype=points.dtype) * weights[:, None]
        total = known.sum(0)
        given = total > 0
        centres = known.T @ points / jnp.where(given, total, 1)[:, None]
    if points.shape[0] > _SEEDING_ROWS:
        chosen = jax.random.choice(sub, points.shape[0], (_SEEDING_ROWS,), p=weights)
        points, weights = points[chosen], jnp.ones((_SEEDING_ROWS,), points.dtype)
    far = jnp.asarray(jnp.finfo(points.dtype).max / 4, points.dtype)
    distance = jnp.full(points.shape[:1], far)
    if given is not None:
        distance = jnp.where(given, squared_distances(points, centres), far).min(-1)
    candidates = 2 + k // 6

    def choose(j: int, carry: tuple) -> tuple:
        centres, distance, key = carry
        key, sub = jax.random.split(key)
        # Nothing chosen yet: by weight alone.
        chance = weights * jnp.where(distance >= far, 1.0, distance)
        chance = jnp.cumsum(jnp.where(chance.sum() > 0, chance, weights))
        draws = jax.random.uniform(sub, (candidates,), points.dtype) * chance[-1]
        picks = (chance[:, None] < draws).sum(0).clip(0, len(points) - 1)
        found = jnp.minimum(distance[:, None], squared_distances(points, points[picks]))
        # The first centre is one row at random: restarts are to differ.
        best = jnp.where((distance < far).any(), (weights @ found).argmin(), 0)
        new, distance_to = points[picks[best]], found[:, best]
        if given is not None:
            new = jnp.where(given[j], centres[j], new)
            distance_to = jnp.where(given[j], distance, distance_to)
        return centres.at[j].set(new), distance_to, key

    return jax.lax.fori_loop(0, k, choose, (centres, distance, key))[0]


def _quantile_groups(points: jax.Array, weights: jax.Array, k: int) -> jax.Array:
    """k groups of equal weight along the first principal axis."""
    centred = points - weights @ points / weights.sum()
    covariance = (centred * weights[:, None]).T @ centred
    axis = jnp.linalg.eigh(covariance)[1][:, -1]
    score = centred @ (axis * jnp.where(axis.sum() < 0, -1, 1))
    order = jnp.argsort(score)
    below = jnp.cumsum(weights[order]) - weights[order] / 2
    group = jnp.clip((below / weights.sum() * k).astype(int), 0, k - 1)
    return jnp.zeros_like(group).at[order].set(group)
