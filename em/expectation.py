"""The E-step: responsibilities and statistics of all rows, in chunks of rows.

For sites with finite statistics the log joint of a chunk is one matrix product of its features
with the components' natural parameters, and the statistics are one product back; no array of
shape (n, k, d) exists. How a log joint becomes responsibilities (soft, hard) is a value of type
`Assign`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from .families import Augmented, Statistics
from .program import Params, Program
from .reader import Reader
from .rows import Chunk, Rows


class Assign(Protocol):
    """Turns a log joint into responsibilities: the one thing in which EM's variants differ.

    Called with ``log_joint`` (k, n), rows last, it returns the responsibilities (k, n), whose
    columns sum to 1, and each row's term (n,) of the objective that this variant climbs.
    ``hard`` says that responsibilities are 0 or 1, so that the loop may stop when no row changes
    its component.
    """

    @property
    def hard(self) -> bool:
        """Whether responsibilities are 0 or 1."""
        ...

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Responsibilities (k, n) and objective (n,)."""
        ...


class Soft(NamedTuple):
    """``r_nk = p(z_n = k | x_n)``; the objective is the observed-data log-likelihood."""

    hard: bool = False

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Softmax and log-sum-exp over the components."""
        # The shift cancels from the derivative. Left in, a compiler that computes log_joint twice,
        # rounded differently, would find no entry equal to the maximum, and divide by their number.
        top = jax.lax.stop_gradient(log_joint).max(0)
        top = jnp.maximum(top, jnp.finfo(log_joint.dtype).min)
        joint = jnp.exp(log_joint - top)
        total = joint.sum(0)
        return joint / total, top + jnp.log(total)


class Hard(NamedTuple):
    """Each row to its best component; the objective is the classification log-likelihood.

    Celeux & Govaert (1992), Computational Statistics & Data Analysis 14:315.
    """

    hard: bool = True

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One-hot of the largest, and the largest."""
        best = jax.nn.one_hot(log_joint.argmax(0), len(log_joint), dtype=log_joint.dtype, axis=0)
        return best, log_joint.max(0)


class Expectation(NamedTuple):
    """What an E-step leaves for the M-step.

    ``counts`` (k,) sums the weighted responsibilities, ``sums`` (k, c q) each site's features:
    `site_statistics` makes additive statistics of both. Row by row only where it is needed:
    ``responsibilities`` (k, n) for densities that are replayed, ``labels`` (n,) and
    ``row_objective`` (n,) for hard assignment.
    """

    objective: jax.Array
    counts: jax.Array
    sums: dict[str, jax.Array]
    responsibilities: jax.Array | None
    labels: jax.Array | None
    row_objective: jax.Array | None


def e_step(program: Program, assign: Assign, params: Params, rows: Rows) -> Expectation:
    """Responsibilities at ``params``, and the statistics that they weight."""
    natural, bias = natural_parameters(program, params, rows)
    by_row = _rowwise(program, params, rows)
    contexts = augmented_contexts(program, params, rows)

    def responsibilities(
        chunk: Chunk, features: Mapping, by_row: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        log_joint = bias[:, None] + sum(_product(natural[s], features[s]) for s in natural)
        for name, context in contexts.items():
            family, u, pattern = _augmented(program, name, chunk)
            density = jax.vmap(family.log_density, (None, None, 0))(u, pattern, context)
            log_joint = log_joint + density
        if by_row is not None:
            log_joint = log_joint + by_row
        if chunk.labels is not None:
            log_joint = log_joint + evidence(chunk.labels, program.num_components)
        return assign(log_joint)

    return _accumulate(program, rows, responsibilities, by_row, contexts, assign.hard)


def statistics_of(program: Program, start: jax.Array, rows: Rows, hard: bool) -> Expectation:
    """The statistics of given responsibilities (n, k); labels that are known prevail."""
    start = start.T
    if rows.labels is not None:
        known = jax.nn.one_hot(rows.labels, program.num_components, dtype=start.dtype, axis=0)
        start = jnp.where(rows.labels >= 0, known, start)

    def responsibilities(
        _: Chunk, features: Mapping, by_row: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        del features
        assert by_row is not None
        return by_row, jnp.zeros(by_row.shape[1:], by_row.dtype)

    found = _accumulate(program, rows, responsibilities, start, None, hard)
    return found._replace(objective=jnp.full_like(found.objective, -jnp.inf))


def log_joint(reader: Reader, params: Params, arrays: tuple) -> jax.Array:
    """(k, n) ``log p(x_n, z_n = k | params)``, densities exactly as NumPyro scores them."""
    names = tuple(d.name for d in reader.structure.data)
    log_weights = reader.log_weights(params, arrays)
    log_weights = log_weights if log_weights.ndim == 2 else log_weights[:, None]
    joint = log_weights + reader.replayed(params, arrays, names)
    labels = reader.labels(arrays)
    return joint if labels is None else joint + evidence(labels, reader.num_components)


def evidence(labels: jax.Array, num_components: int) -> jax.Array:
    """(k, n) 0 where a component agrees with the label (or it is unknown), -inf elsewhere."""
    agrees = labels == jnp.arange(num_components)[:, None]
    return jnp.where(agrees | (labels < 0), 0.0, -jnp.inf)


def natural_parameters(
    program: Program, params: Params, rows: Rows
) -> tuple[dict[str, jax.Array], jax.Array]:
    """{site: (k, c q)} and a bias (k,), whose product with features is the log joint."""
    args = program.arguments(params, rows.arrays)
    natural, bias = {}, jnp.zeros((program.num_components,))
    for site in program.statistical:
        if site.name in program.augmented:
            continue
        eta, normaliser = site.family.natural(args[site.name], rows.reference[site.name])
        if site.name in program.incomplete:
            eta = jnp.concatenate([eta, -normaliser[..., None]], -1)
        else:
            bias = bias - normaliser.sum(-1)
        natural[site.name] = eta.reshape(eta.shape[0], -1)
    if not program.structure.prior_rowwise:
        bias = bias + program.log_weights(params, rows.arrays)
    return natural, bias


def _rowwise(program: Program, params: Params, rows: Rows) -> jax.Array | None:
    if not program.needs_rows:
        return None
    total = program.replayed(params, rows.arrays, program.rowwise)
    if program.structure.prior_rowwise:
        total = total + program.log_weights(params, rows.arrays)
    return total


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision="highest")


def _accumulate(
    program: Program,
    rows: Rows,
    responsibilities: Callable[..., tuple[jax.Array, jax.Array]],
    by_row: jax.Array | None,
    contexts: Mapping[str, Any] | None,
    hard: bool,
) -> Expectation:
    num_chunks, size = rows.chunks.weights.shape
    keep = program.needs_rows

    def totals(chunk: Chunk, by_row: jax.Array | None) -> tuple[tuple, tuple]:
        # Without contexts (at a start) augmented rows count with the values they were filled with.
        features = program.features(chunk, rows.reference, augmented=contexts is None)
        resp, objective = responsibilities(chunk, features, by_row)
        weighted = resp * chunk.weights
        sums = {s: _product(weighted, f.T) for s, f in features.items()}
        for name, context in (contexts or {}).items():
            family, u, pattern = _augmented(program, name, chunk)
            own = partial(_component_sums, family, u, pattern)
            sums[name] = jax.lax.map(own, (weighted, context))
        used = chunk.weights > 0
        total = jnp.where(used, chunk.weights * objective, 0).sum()
        labels = resp.argmax(0) if hard else None
        cost = jnp.where(used, objective, jnp.inf) if hard else None
        return (total, weighted.sum(1), sums), (labels, cost, resp if keep else None)

    if num_chunks == 1:
        first = jax.tree.map(lambda a: a[0], rows.chunks)
        (total, counts, sums), each = totals(first, by_row)
    else:
        split = None if by_row is None else _split_rows(by_row, num_chunks, size)

        def add(carry: tuple, chunk: tuple) -> tuple[tuple, tuple]:
            new, each = totals(*chunk)
            return jax.tree.map(jnp.add, carry, new), each

        first = jax.tree.map(lambda a: a[0], (rows.chunks, split))
        shapes = jax.eval_shape(totals, *first)[0]
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        (total, counts, sums), each = jax.lax.scan(add, zeros, (rows.chunks, split))
        each = jax.tree.map(lambda a: a.reshape(-1)[: program.num_rows], each)
    labels, cost, resp = each
    return Expectation(total + rows.log_base, counts, sums, resp, labels, cost)


def augmented_contexts(program: Program, params: Params, rows: Rows) -> dict[str, Any]:
    """{site: what its rows need of every component}."""
    if not program.augmented:
        return {}
    args = program.arguments(params, rows.arrays)
    contexts = {}
    for site in program.statistical:
        if not isinstance(site.family, Augmented):
            continue
        reference, patterns = rows.reference[site.name], rows.patterns[site.name]
        make = partial(site.family.context, patterns=patterns, reference=reference)
        contexts[site.name] = jax.vmap(make)(args[site.name])
    return contexts


def _component_sums(
    family: Augmented, u: jax.Array, pattern: jax.Array, given: tuple[jax.Array, Any]
) -> jax.Array:
    weight, context = given
    return family.sums(u, pattern, weight, context).ravel()


def _augmented(program: Program, name: str, chunk: Chunk) -> tuple[Augmented, Any, Any]:
    (family,) = (s.family for s in program.statistical if s.name == name)
    assert isinstance(family, Augmented)
    return family, chunk.u[name], chunk.pattern[name]


def site_statistics(program: Program, expected: Expectation, rows: Rows) -> dict[str, Statistics]:
    """{site: additive statistics}, as the families take them."""
    cells = {n: u.shape[1] for n, u in rows.chunks.u.items()}
    return program.statistics(expected.counts, expected.sums, cells)


def _split_rows(by_row: jax.Array, num_chunks: int, size: int) -> jax.Array:
    k, n = by_row.shape
    padded = jnp.pad(by_row, ((0, 0), (0, num_chunks * size - n)))
    return jnp.moveaxis(padded.reshape(k, num_chunks, size), 1, 0)
