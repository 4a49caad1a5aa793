r"""Classes along a chain, summed out: one reduction along time, whose derivative is the E-step.

The joint density of a sequence and a path of classes is a product of factors, one for each step
and the step before. Summing the paths out step by step is the forward recursion (Baum et al. 1970,
Annals of Mathematical Statistics 41:164; Rabiner 1989, Proceedings of the IEEE 77:257)::

    log a_t(j) = r_i [log a_{t-1}(i) + log p(z_t = j | z_{t-1} = i)] + log p(x_t | z_t = j)
    c_t = r_j [log a_t(j)],   log a_t(j) -= c_t,   objective = sum_t c_t

with r the reduction over classes that an assignment is: its objective for a value, its
responsibilities for a derivative. Soft is the sum, and the derivatives of the objective with
respect to the logs of the factors are the smoothed probabilities of classes and of pairs; hard is
the maximum, and they are the most probable path (Viterbi); where classes are drawn, they are a path
drawn backwards. So one vector-Jacobian product is the backward recursion of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .assignments import Assign, in_chunk
from .assignments.soft import Soft
from .scaled import Sums, smoothed

# So many numbers of pairs of classes are kept for the way back.
_KEPT = 1 << 22
# From so many pairs of classes of steps on, compiling a second way to sum pays.
_MANY = 1 << 16
# Stands for the log of 0: sums of it are finite, and below all others.
_NEVER = -1e30


class Smoothed(NamedTuple):
    """The classes of a chain's steps given all of their sequence.

    ``responsibilities`` (k, n) by rows, time first; ``objective`` (n,) the terms c_t; ``pairs`` the
    weighted expected number of each pair of components, (m,), or by row (m, n) where the log
    probabilities of pairs were.
    """

    responsibilities: jax.Array
    objective: jax.Array
    pairs: jax.Array


def smooth(
    assign: Assign,
    log_density: jax.Array,
    log_pairs: jax.Array,
    weights: jax.Array,
    length: int,
) -> Smoothed:
    """Smooth the classes of all sequences.

    ``log_density`` (k, n) of the rows given their class, time first; ``log_pairs`` ((k + 1) k,) or
    ((k + 1) k, n) of a class given the one before, the last k without one; ``weights`` (n,), the
    same at all steps of a sequence until it has ended.
    """
    k, n = log_density.shape
    if isinstance(assign, Soft) and log_pairs.ndim == 1 and n * k * k >= _MANY:
        return Smoothed(*smoothed(_soft_in_logs, log_density, log_pairs, weights, length))
    return _in_logs(assign, length, log_density, log_pairs, weights)


def _in_logs(
    assign: Assign,
    length: int,
    log_density: jax.Array,
    log_pairs: jax.Array,
    weights: jax.Array,
) -> Smoothed:
    def forward(log_density: jax.Array, log_pairs: jax.Array) -> jax.Array:
        return increments(assign, log_density, log_pairs, length)

    objective, back = jax.vjp(forward, log_density, log_pairs)
    weighted, pairs = back(weights.astype(objective.dtype))
    used = weights > 0
    k = len(log_density)
    responsibilities = jnp.where(used, weighted / jnp.where(used, weights, 1)[None], 1 / k)
    return Smoothed(responsibilities, objective, pairs)


def _soft_in_logs(
    length: int, apart: bool, log_density: jax.Array, log_pairs: jax.Array, weights: jax.Array
) -> Sums:
    """As `scaled.smoothed` wants them; ``apart`` the pairs of each sequence, unweighted."""
    if apart:
        every = jnp.broadcast_to(log_pairs[:, None], (len(log_pairs), log_density.shape[1]))
        there = (weights > 0).astype(weights.dtype)
        found = _in_logs(Soft(), length, log_density, every, there)
        pairs = found.pairs.reshape(len(log_pairs), length, -1).sum(1).T
        return found.responsibilities, found.objective, pairs
    found = _in_logs(Soft(), length, log_density, log_pairs, weights)
    return found.responsibilities, found.objective, found.pairs


def increments(
    assign: Assign, log_density: jax.Array, log_pairs: jax.Array, length: int
) -> jax.Array:
    """(n,) the terms c_t, which add up to each sequence's objective (see above)."""
    k, n = log_density.shape
    number = n // length
    by_time = jnp.maximum(log_density, _NEVER).reshape(k, length, number).swapaxes(0, 1)
    log_pairs = jnp.maximum(log_pairs, _NEVER).astype(log_density.dtype)
    if log_pairs.ndim == 1:
        table = log_pairs.reshape(k + 1, k)
        first, always, later = table[k][:, None], table[:k, :, None], None
    else:
        every = log_pairs.reshape(k + 1, k, length, number)
        first, always = every[k, :, 0], every[:k, :, 0]
        later = jnp.moveaxis(every[:k, :, 1:], 2, 0)
    top = reduction(in_chunk(assign, 0))
    log_a = first + by_time[0]
    c = top(log_a)

    def step(log_a: jax.Array, given: tuple) -> tuple[jax.Array, jax.Array]:
        log_density, own, time = given
        own = always if own is None else own
        chosen = reduction(in_chunk(assign, 2 * time))
        before = (log_a[:, None] + own).reshape(k, -1)
        log_a = chosen(before).reshape(k, number) + log_density
        c = reduction(in_chunk(assign, 2 * time + 1))(log_a)
        return log_a - c, c

    given = (by_time[1:], later, jnp.arange(1, length))
    rest = along(step, log_a - c, given, max(1, _KEPT // (k * k * number)))
    found = jnp.concatenate([c[None], rest]).reshape(-1)
    return jnp.where(found < _NEVER / 2, -jnp.inf, found)


def along(step: Callable, begin: jax.Array, given: tuple, block: int) -> jax.Array:
    """What ``step`` gives along time, as a scan; its derivative keeps what one block of steps made.

    Of the others only where they begin is kept, and the rest is made again on the way back: T steps
    need T / block + block numbers, in the place of T. (A loop whose single steps are checkpointed
    took 1.4 to 2 times as long.)
    """
    length = len(jax.tree.leaves(given)[0])
    number = length // block if length > block else 0
    early = jax.tree.map(lambda a: a[: number * block].reshape(number, block, *a.shape[1:]), given)
    late = jax.tree.map(lambda a: a[number * block :], given)

    @jax.checkpoint
    def some(carry: jax.Array, given: tuple) -> tuple[jax.Array, jax.Array]:
        return jax.lax.scan(step, carry, given)

    found = []
    if number:
        begin, first = jax.lax.scan(some, begin, early)
        found.append(first.reshape(number * block, *first.shape[2:]))
    if length > number * block:
        found.append(some(begin, late)[1] if number else jax.lax.scan(step, begin, late)[1])
    return jnp.concatenate(found)


def reduction(assign: Assign) -> Callable[[jax.Array], jax.Array]:
    """An assignment as a function of logs (k, m): its objective, whose slopes are its shares."""
    leaves, tree = jax.tree.flatten(assign)
    arrays = {i: v for i, v in enumerate(leaves) if isinstance(v, jax.Array)}

    def given(arrays: dict[int, jax.Array]) -> Assign:
        return jax.tree.unflatten(tree, [arrays.get(i, v) for i, v in enumerate(leaves)])

    # A rule of derivatives must not close over what is traced, such as keys.
    leaves = [None if i in arrays else v for i, v in enumerate(leaves)]

    @jax.custom_jvp
    def reduce(arrays: dict[int, jax.Array], logs: jax.Array) -> jax.Array:
        return given(arrays)(logs)[1]

    @reduce.defjvp
    def slopes(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
        shares, value = given(primals[0])(primals[1])
        return value, (shares * tangents[1]).sum(0)

    return lambda logs: reduce(arrays, logs)


# So much of the pairs at a start are any two: what is 0 there would stay 0.
_ANY = 0.1


def first_pairs(
    responsibilities: jax.Array, weights: jax.Array, length: int, by_row: bool
) -> jax.Array:
    """The pairs of starting responsibilities (k, n), as if steps were independent given these."""
    k, n = responsibilities.shape
    now = responsibilities.reshape(k, length, n // length)
    before = jnp.zeros((k + 1, length, n // length), now.dtype)
    before = before.at[:k, 1:].set(now[:, :-1]).at[k, 0].set(1)
    share = before[:, None] * ((1 - _ANY) * now + _ANY / k)[None]
    pairs = share.reshape((k + 1) * k, n) * weights[None]
    return pairs if by_row else pairs.sum(1)
