"""Arrays of a site brought to one layout: rows first, then cells, then the family's event."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from ..families import incomplete
from .latents import Latent, Level, unwrap
from .structure import Data


def rows_first(
    array: jax.Array, level: Latent | Level, batch_rank: int, cells: int, event: int
) -> jax.Array:
    """(batch..., cells..., event...) to (rows, c, event...).

    ``batch_rank`` batch dimensions are followed by ``cells`` dimensions that ``to_event`` took in
    and ``event`` ones of the family itself. Batch dimensions other than the rows' (inner plates)
    are cells too. ``rows`` is 1 where the array does not vary over the rows.
    """
    rank = batch_rank + cells + event
    array = jnp.asarray(array)
    array = array.reshape((1,) * (rank - array.ndim) + array.shape)
    row_axes = [batch_rank + d for d in level.row_dims]
    array = jnp.moveaxis(array, row_axes, range(len(row_axes)))
    sizes = array.shape[: len(row_axes)]
    inner = array.shape[len(row_axes) : rank - event]
    tail = array.shape[rank - event :]
    if any(s != 1 for s in sizes):
        array = jnp.broadcast_to(array, (*level.rows, *inner, *tail))
        sizes = level.rows
    return array.reshape(math.prod(sizes), math.prod(inner), *tail)


def site_values(site: dict, level: Latent | Level, data: Data) -> jax.Array:
    """The observations (c, event..., n) of a site, in the floating type in use."""
    value = jnp.broadcast_to(jnp.asarray(site["value"]), data.shape)
    value = rows_first(value, level, data.batch_rank, data.cell_rank, data.event_rank)
    value = jnp.moveaxis(value, 0, -1)
    return value if jnp.issubdtype(value.dtype, jnp.floating) else value.astype(float_type())


def row_log_prob(site: dict, level: Latent | Level, data: Data) -> jax.Array:
    """The log density (n,) of each row at this site, inner plates summed.

    Entries that are missing (masked, or NaN where the data have gaps) are left out. A site may
    have its ``"log_prob"``, unscaled, already.
    """
    if not data.incomplete:
        log_prob = site["log_prob"] if "log_prob" in site else site["fn"].log_prob(site["value"])
        log_prob = jnp.broadcast_to(log_prob, data.shape[: data.batch_rank])
        by_row = rows_first(log_prob, level, data.batch_rank, 0, 0).sum(1)
        return jnp.broadcast_to(by_row, (level.num_rows,))
    fn = family_of(site)
    value = jnp.broadcast_to(jnp.asarray(site["value"]), data.shape)
    seen = observed(site, data)
    rank = data.batch_rank + data.cell_rank
    if data.partial:
        family = incomplete(type(fn))
        assert family is not None
        log_prob = family.scored(fn, jnp.where(seen, value, 0), seen)
    else:
        seen = seen.reshape(*seen.shape[:rank], -1).all(-1)
        wide = seen.reshape(seen.shape + (1,) * data.event_rank)
        log_prob = fn.log_prob(jnp.where(wide, value, _some_value(value, wide, rank)))
        log_prob = jnp.where(seen, log_prob, 0)
    log_prob = jnp.broadcast_to(log_prob, data.shape[:rank])
    by_row = rows_first(log_prob, level, data.batch_rank, data.cell_rank, 0).sum(1)
    return jnp.broadcast_to(by_row, (level.num_rows,))


def observed(site: dict, data: Data) -> jax.Array:
    """Which entries of a site are there: not masked, not NaN. Of the shape of the data."""
    rank = data.batch_rank + data.cell_rank
    value = jnp.broadcast_to(jnp.asarray(site["value"]), data.shape)
    seen = jnp.ones(data.shape, bool)
    if data.gaps:
        seen = ~jnp.isnan(value)
    fn, cells, base = site["fn"], 0, family_of(site)
    while fn is not base:
        if isinstance(fn, dist.Independent):
            cells += fn.reinterpreted_batch_ndims
        elif isinstance(fn, dist.MaskedDistribution):
            mask = jnp.asarray(fn._mask, bool)
            inner = data.cell_rank - cells + data.event_rank
            lead = (1,) * (rank - data.cell_rank + cells - mask.ndim)
            seen = seen & mask.reshape(lead + mask.shape + (1,) * inner)
        fn = fn.base_dist
    return seen


def _some_value(value: jax.Array, seen: jax.Array, rank: int) -> jax.Array:
    """The first value that is there, to stand where none is: it lies in the support."""
    event = value.shape[rank:]
    first = jnp.argmax(seen.ravel())
    return value.reshape(-1, *event)[first]


def site_observed(site: dict, level: Latent | Level, data: Data) -> jax.Array:
    """(c, event..., n) which entries of a site are there."""
    seen = rows_first(observed(site, data), level, data.batch_rank, data.cell_rank, data.event_rank)
    return jnp.moveaxis(seen, 0, -1)


def argument(value: jax.Array, level: Latent | Level, data: Data, rank: int) -> jax.Array:
    """An argument of the family as (1 or n, c, event...)."""
    value, lead = jnp.asarray(value), data.batch_rank + data.cell_rank
    value = value.reshape((1,) * (lead + rank - value.ndim) + value.shape)
    # It may vary along some of the cells' dimensions only.
    rows = {data.batch_rank + d for d in level.row_dims}
    shape = [value.shape[axis] if axis in rows else data.shape[axis] for axis in range(lead)]
    value = jnp.broadcast_to(value, (*shape, *value.shape[lead:]))
    return rows_first(value, level, data.batch_rank, data.cell_rank, rank)


def num_cells(level: Latent | Level, data: Data) -> int:
    """How many cells a row has at this site."""
    shape = data.shape[: data.batch_rank + data.cell_rank]
    rows = {data.batch_rank + d for d in level.row_dims}
    return math.prod(s for axis, s in enumerate(shape) if axis not in rows)


def family_of(site: dict) -> dist.Distribution:
    """The distribution under the wrappers of a site."""
    return unwrap(site["fn"])[0]


def mask_of(fn: dist.Distribution) -> jax.Array:
    """The outermost mask around a distribution that has one."""
    while not isinstance(fn, dist.MaskedDistribution):
        fn = fn.base_dist
    return jnp.asarray(fn._mask)


def labels_in(trace: dict, latent: Latent) -> tuple[jax.Array, jax.Array]:
    """(n,) the labels of a class in a trace, and which of them are known."""
    site = trace[str(latent.labels)]
    rows = rows_first(site["value"], latent, latent.batch_rank, 0, 0)
    labels = jnp.broadcast_to(rows[:, 0], (latent.num_rows,))
    known = jnp.ones(labels.shape, bool)
    if latent.partly:
        mask = rows_first(mask_of(site["fn"]), latent, latent.batch_rank, 0, 0)
        known = jnp.broadcast_to(mask[:, 0], labels.shape)
    return labels, known


def float_type() -> jnp.dtype:
    """The floating type that JAX is configured for."""
    return jnp.result_type(float)
