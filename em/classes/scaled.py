r"""The sum over the paths of a chain in probabilities: a few products a step, where that is exact.

With the largest density of a step taken out, and probabilities scaled to sum to 1 at every step
(Rabiner 1989, Proceedings of the IEEE 77:272), a step takes one product with the transitions
forwards and one backwards, and no exponential::

    a_t(j) c_t = e_t(j) sum_i a_{t-1}(i) p_ij,       e_t(j) = p(x_t | j) / max_j p(x_t | j)
    b_{t-1}(i) = sum_j p_ij v_t(j),                  v_t(j) = e_t(j) b_t(j) / c_t

Then ``a_t b_t`` are the smoothed probabilities, and ``a_{t-1}(i) p_ij v_t(j)`` those of pairs.

What this loses are probabilities below the smallest number there is. That a path through such a
state matters later takes transitions that are as small: from anywhere else the same state can be
reached in one step with the least transition probability, so that it is off by the ratio of both
at most. So it is done where no transition probability is below the root of the smallest number;
where some are (forbidden ones, say), logs are taken, which is slower by several times.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

# Stands for the log of 0.
_NEVER = -1e30
# From so many sequences on, a product is one of matrices.
_WIDE = 2048

# (k, n) responsibilities, (n,) increments of the objective, ((k + 1) k,) weighted pairs.
type Sums = tuple[jax.Array, jax.Array, jax.Array]


def smoothed(
    in_logs: Callable[..., Sums],
    log_density: jax.Array,
    log_pairs: jax.Array,
    weights: jax.Array,
    length: int,
) -> Sums:
    """What ``in_logs`` of the same arguments gives, sooner; arguments as `chain.smooth` has them.

    The derivative of the increments is that of their sums by sequence, which are all that is asked
    of them: the expected logs, so that a gradient takes no other loop. The others are those of
    ``in_logs``, as all second derivatives are.
    """
    return _sums(in_logs, length, False, log_density, log_pairs, weights)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _sums(in_logs: Callable[..., Sums], length: int, apart: bool, *given: jax.Array) -> Sums:
    """The same; ``apart`` with the pairs (s, (k + 1) k) of each sequence, unweighted."""
    yes, no = partial(_scaled, length, apart), partial(in_logs, length, apart)
    found: Sums = _either(_exact(len(given[0]) ** 2), yes, no)(*given)
    return found


@_sums.defjvp
def _slopes(
    in_logs: Callable[..., Sums], length: int, apart: bool, given: tuple, tangents: tuple
) -> Any:
    plain, slopes = jax.jvp(partial(in_logs, length, apart), given, tangents)
    if apart:
        return plain, slopes
    log_density, log_pairs, weights = given
    responsibilities, increments, pairs = _sums(in_logs, length, True, *given)
    own = jnp.where(log_density > _NEVER, responsibilities * tangents[0], 0).sum(0)
    moved = pairs @ jnp.where(log_pairs > _NEVER, tangents[1], 0)
    own = jnp.where(weights > 0, own, 0).reshape(length, -1).at[0].add(moved)
    whole = weights.reshape(length, -1)[0] @ pairs
    return (responsibilities, increments, whole), (slopes[0], own.reshape(-1), slopes[2])


def _exact(size: int) -> Callable[..., jax.Array]:
    def exact(log_density: jax.Array, log_pairs: jax.Array, weights: jax.Array) -> jax.Array:
        del weights
        least = jnp.log(jnp.finfo(log_density.dtype).tiny) / 2
        return (log_pairs[:size] >= least).all()

    return exact


def _either(here: Callable, yes: Callable, no: Callable) -> Callable:
    """``yes`` of arguments that are all fit for it ``here``, else ``no``: one for a whole batch.

    The entries of a batch go one after the other: side by side, 4 chains of 100 sequences took 3 to
    8 times as long, for what they hold leaves the cache.
    """

    @custom_vmap
    def chosen(*args: jax.Array) -> Any:
        return jax.lax.cond(here(*args), yes, no, *args)

    @chosen.def_vmap
    def several(size: int, batched: list[bool], *args: jax.Array) -> tuple[Any, Any]:
        axes = [0 if b else None for b in batched]
        fit = jax.vmap(here, axes, axis_size=size)
        each = [_one_by_one(f, axes) for f in (yes, no)]
        whole = _either(lambda *a: fit(*a).all(), *each)(*args)
        return whole, jax.tree.map(lambda _: True, whole)

    return chosen


def _one_by_one(function: Callable, axes: list[int | None]) -> Callable:
    """As `jax.vmap` with ``axes`` that are 0 or None."""

    def every(*args: jax.Array) -> Any:
        moving = [a for a, axis in zip(args, axes, strict=True) if axis == 0]

        def one(own: list[jax.Array]) -> Any:
            given = iter(own)
            return function(
                *(next(given) if axis == 0 else a for a, axis in zip(args, axes, strict=True))
            )

        return jax.lax.map(one, moving)

    return every


def _scaled(
    length: int,
    apart: bool,
    log_density: jax.Array,
    log_pairs: jax.Array,
    weights: jax.Array,
) -> Sums:
    k, n = log_density.shape
    number = n // length
    weights = weights.reshape(length, number)
    log_density = jnp.maximum(log_density, _NEVER).reshape(k, length, number).swapaxes(0, 1)
    table = log_pairs.reshape(k + 1, k)
    transition = jnp.exp(table[:k])
    first = jnp.maximum(table[k], _NEVER)[:, None] + log_density[0]
    top = jnp.concatenate([first.max(0)[None], log_density[1:].max(1)])
    relative = jnp.exp(log_density[1:] - top[1:, None])
    begin = jnp.exp(first - top[0])
    begun = begin.sum(0)
    forward = partial(_product, transition, wide=number >= _WIDE)
    backward = partial(_product, transition.T, wide=number >= _WIDE)

    def ahead(a: jax.Array, relative: jax.Array) -> tuple[jax.Array, tuple]:
        moved = forward(a)
        total = (moved * relative).sum(0)
        return moved * relative / total, (a, moved, total)

    last, (before, moved, totals) = jax.lax.scan(ahead, begin / begun, relative)
    del last
    goes_on = weights[1:] > 0
    scaled = relative / totals[:, None]

    def back(b: jax.Array, given: tuple) -> tuple[jax.Array, jax.Array]:
        scaled, goes_on = given
        v = scaled * b
        return jnp.where(goes_on, backward(v), 1), v

    b, v = jax.lax.scan(back, jnp.ones_like(begin), (scaled, goes_on), reverse=True)
    responsibilities = jnp.concatenate([(begin / begun * b)[None], moved * v])
    share = (weights > 0).astype(weights.dtype) if apart else weights
    weighted = v * share[1:, None]
    start = responsibilities[0] * share[0]
    if apart:  # sequences stay last: a product for each would move all that there is
        pairs = (before[:, :, None] * weighted[:, None]).sum(0) * transition[..., None]
        pairs, start = jnp.moveaxis(pairs, 2, 0), start.T
    else:
        across = (((0, 2), (0, 2)), ((), ()))
        pairs = transition * jax.lax.dot_general(before, weighted, across, precision="highest")
        start = start.sum(1)
    responsibilities = jnp.where(weights[:, None] > 0, responsibilities, 1 / k)
    found = top + jnp.log(jnp.concatenate([begun[None], totals]))
    return (
        responsibilities.swapaxes(0, 1).reshape(k, n),
        jnp.where(found < _NEVER / 2, -jnp.inf, found).reshape(-1),
        jnp.concatenate([pairs.reshape(*start.shape[:-1], k * k), start], -1),
    )


def _product(matrix: jax.Array, values: jax.Array, wide: bool) -> jax.Array:
    """(k, s) the sums over i of ``matrix[i, j] values[i]``."""
    if wide:
        return jax.lax.dot_general(matrix, values, (((0,), (0,)), ((), ())), precision="highest")
    return (matrix[:, :, None] * values[:, None]).sum(0)
