"""A function of one step, at all times at once; distributions with time as an axis of theirs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.interpreters.partial_eval import convert_constvars_jaxpr, dce_jaxpr
from numpyro.distributions.batch_util import promote_batch_shape
from numpyro.ops.provenance import track_deps_jaxpr


def over_time(function: Callable, moving: Any, still: Any) -> tuple[Any, list[bool]]:
    """``function(moving at t, still)`` for all t, and which leaves of it have the axis of time.

    These come first in what depends on ``moving``, whose leaves are (T, ...); the others are
    what they are at any time.
    """
    first = jax.tree.map(lambda a: a[0], moving)
    closed, shape = jax.make_jaxpr(function, return_shape=True)(first, still)
    changing, constant = jax.tree.leaves(moving), jax.tree.leaves(still)
    time = frozenset({"time"})
    names = [time] * len(changing) + [frozenset()] * len(constant)
    moves = [bool(found) for found in track_deps_jaxpr(closed.jaxpr, names)]
    inside = [0] * len(changing) + [None] * len(constant)

    def one(*leaves: Any) -> list[Any]:
        return jax.core.eval_jaxpr(closed.jaxpr, closed.consts, *leaves)

    if any(moves):
        out = jax.vmap(one, inside, [0 if m else None for m in moves])(*changing, *constant)
    else:
        out = one(*jax.tree.leaves(first), *constant)
    return jax.tree.unflatten(jax.tree.structure(shape), out), moves


def pruned(function: Callable, *args: Any) -> tuple[Callable, list[bool]]:
    """A function without what its results do not need, so that a loop depends on no more.

    Also which leaves of its arguments it needs; in the place of others there may be anything.
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
    jaxpr, used = dce_jaxpr(convert_constvars_jaxpr(closed.jaxpr), [True] * len(closed.out_avals))

    def run(*args: Any) -> Any:
        inputs = [*closed.consts, *jax.tree.leaves(args)]
        own = [v for v, u in zip(inputs, used, strict=True) if u]
        return jax.tree.unflatten(jax.tree.structure(shape), jax.core.eval_jaxpr(jaxpr, (), *own))

    return run, list(used[len(closed.consts) :])


def with_time(
    fn: dist.Distribution, moves: dist.Distribution, rank: int, length: int
) -> dist.Distribution:
    """A distribution whose leaves have the axis of time where ``moves`` says so, as one of steps.

    The axis stands before ``rank`` batch dimensions; what does not move broadcasts along it.
    """
    if isinstance(fn, dist.Independent):
        more = fn.reinterpreted_batch_ndims
        inner = with_time(fn.base_dist, moves.base_dist, rank + more, length)
        return dist.Independent(inner, more)
    if isinstance(fn, dist.ExpandedDistribution):
        shape = (1,) * (rank - len(fn.batch_shape)) + fn.batch_shape
        inner = with_time(fn.base_dist, moves.base_dist, rank, length)
        lead = inner.batch_shape[:1] if len(inner.batch_shape) > rank else (1,)
        return dist.ExpandedDistribution(inner, (*lead, *shape))
    if isinstance(fn, dist.MaskedDistribution):
        inner = with_time(fn.base_dist, moves.base_dist, rank, length)
        mask = fn._mask
        if not isinstance(mask, bool):
            mask = _lead(mask, rank, 0) if moves._mask is True else mask
        batch = jnp.broadcast_shapes(jnp.shape(mask), inner.batch_shape)
        return dist.MaskedDistribution(inner.expand(batch), mask)
    return _own(fn, moves, rank, length)


def left_out(fn: dist.Distribution) -> dict[str, Any]:
    """Arguments that a distribution was given and has, but that its leaves do not hold.

    A multivariate normal is made with its covariance matrix, say, and leaves the Cholesky factor.
    """
    base, _ = _under(fn, 0)
    fields = type(base).gather_pytree_data_fields()
    own = {n: vars(base).get(n) for n in base.arg_constraints if n not in fields}
    return {n: v for n, v in own.items() if hasattr(v, "shape")}


def put_back(fn: dist.Distribution, values: dict, moves: dict, rank: int) -> None:
    """Give a distribution that has the axis of time the arguments that its leaves did not hold."""
    base, rank = _under(fn, rank)
    for name, value in values.items():
        event_dim = base.arg_constraints[name].event_dim
        setattr(base, name, _lead(value, rank, event_dim) if moves[name] else value)


def _under(fn: dist.Distribution, rank: int) -> tuple[dist.Distribution, int]:
    """The distribution under wrappers, and its batch dimensions where they have so many."""
    while isinstance(fn, (dist.Independent, dist.ExpandedDistribution, dist.MaskedDistribution)):
        rank += fn.reinterpreted_batch_ndims if isinstance(fn, dist.Independent) else 0
        fn = fn.base_dist
    return fn, rank


def narrowed(fn: dist.Distribution) -> dist.Distribution:
    """The distribution of one row, of one that is the same in all rows; masks are left out."""
    while isinstance(fn, (dist.ExpandedDistribution, dist.MaskedDistribution)):
        fn = fn.base_dist
    new = copy.copy(fn)
    for name in type(fn).gather_pytree_data_fields():
        value, event_dim = fn.__dict__.get(name), _event_dim(fn, name)
        if value is not None and event_dim is not None:
            batch = jnp.ndim(value) - event_dim
            setattr(new, name, jnp.asarray(value)[(slice(0, 1),) * batch])
    new._batch_shape = (1,) * len(fn.batch_shape)
    return new


def masks(fn: dist.Distribution) -> list[Any]:
    """The masks around the distribution of a class that are arrays."""
    found = []
    while isinstance(fn, (dist.ExpandedDistribution, dist.MaskedDistribution)):
        if isinstance(fn, dist.MaskedDistribution) and not isinstance(fn._mask, bool):
            found.append(fn._mask)
        fn = fn.base_dist
    return found


def _own(
    fn: dist.Distribution, moves: dist.Distribution, rank: int, length: int
) -> dist.Distribution:
    fields = type(fn).gather_pytree_data_fields()
    flags = {name: jax.tree.leaves(moves.__dict__.get(name)) for name in fields}
    moving = {name: _event_dim(fn, name) for name, found in flags.items() if any(found)}
    if not moving:
        return fn
    if None in moving.values():
        return _promoted(fn, moves, rank, length)
    new = copy.copy(fn)
    for name, event_dim in moving.items():
        setattr(new, name, _lead(fn.__dict__[name], rank, event_dim))
    new._batch_shape = (length, *(1,) * (rank - len(fn.batch_shape)), *fn.batch_shape)
    return new


def _event_dim(fn: dist.Distribution, name: str) -> int | None:
    """The event dimensions of an argument that is an array; None of what is none."""
    constraint = fn.arg_constraints.get(name)
    if constraint is None or not hasattr(fn.__dict__.get(name), "shape"):
        return None
    try:
        return int(constraint.event_dim)
    except (AttributeError, NotImplementedError, TypeError):
        return None


def _lead(value: Any, rank: int, event_dim: int | None) -> Any:
    """(T, batch..., event...) with the batch filled up to so many dimensions."""
    own = value.ndim - 1 - (event_dim or 0)
    return value.reshape((value.shape[0], *(1,) * (rank - own), *value.shape[1:]))


def _promoted(
    fn: dist.Distribution, moves: dist.Distribution, rank: int, length: int
) -> dist.Distribution:
    """By NumPyro's own hand, as its scan has it: every leaf gets the axis."""
    leaves, tree = jax.tree.flatten(fn)
    led = [
        v if flag else jnp.broadcast_to(v, (length, *jnp.shape(v)))
        for v, flag in zip(leaves, jax.tree.leaves(moves), strict=True)
    ]
    whole = promote_batch_shape(jax.tree.unflatten(tree, led))
    if len(whole.batch_shape) != rank + 1:
        raise ValueError(
            f"a {type(fn).__name__} within a scan depends on time in a way that is not read; "
            "give all sites of the step the batch shape of the same plates"
        )
    return whole
