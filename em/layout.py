"""Arrays of a site brought to one layout: rows first, then cells, then the family's event."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from .structure import Data, Latent, unwrap


def rows_first(
    array: jax.Array, latent: Latent, batch_rank: int, cells: int, event: int
) -> jax.Array:
    """(batch..., cells..., event...) to (rows, c, event...).

    ``batch_rank`` batch dimensions are followed by ``cells`` dimensions that ``to_event`` took in
    and ``event`` ones of the family itself. Batch dimensions other than the rows' (inner plates)
    are cells too. ``rows`` is 1 where the array does not vary over the rows.
    """
    rank = batch_rank + cells + event
    array = jnp.asarray(array)
    array = array.reshape((1,) * (rank - array.ndim) + array.shape)
    row_axes = [batch_rank + d for d in latent.row_dims]
    array = jnp.moveaxis(array, row_axes, range(len(row_axes)))
    sizes = array.shape[: len(row_axes)]
    inner = array.shape[len(row_axes) : rank - event]
    tail = array.shape[rank - event :]
    if any(s != 1 for s in sizes):
        array = jnp.broadcast_to(array, (*latent.rows, *inner, *tail))
        sizes = latent.rows
    return array.reshape(math.prod(sizes), math.prod(inner), *tail)


def site_values(site: dict, latent: Latent, data: Data) -> jax.Array:
    """The observations (c, event..., n) of a site, in the floating type in use."""
    value = jnp.broadcast_to(jnp.asarray(site["value"]), data.shape)
    value = rows_first(value, latent, data.batch_rank, data.cell_rank, data.event_rank)
    value = jnp.moveaxis(value, 0, -1)
    return value if jnp.issubdtype(value.dtype, jnp.floating) else value.astype(float_type())


def row_log_prob(site: dict, latent: Latent, data: Data) -> jax.Array:
    """The log density (n,) of each row at this site, inner plates summed."""
    log_prob = site["fn"].log_prob(site["value"])
    log_prob = jnp.broadcast_to(log_prob, data.shape[: data.batch_rank])
    by_row = rows_first(log_prob, latent, data.batch_rank, 0, 0).sum(1)
    return jnp.broadcast_to(by_row, (latent.num_rows,))


def argument(value: jax.Array, latent: Latent, data: Data, rank: int) -> jax.Array:
    """An argument of the family as (1 or n, c, event...)."""
    full = rows_first(value, latent, data.batch_rank, data.cell_rank, rank)
    return jnp.broadcast_to(full, (full.shape[0], num_cells(latent, data), *full.shape[2:]))


def num_cells(latent: Latent, data: Data) -> int:
    """How many cells a row has at this site."""
    shape = data.shape[: data.batch_rank + data.cell_rank]
    rows = {data.batch_rank + d for d in latent.row_dims}
    return math.prod(s for axis, s in enumerate(shape) if axis not in rows)


def family_of(site: dict) -> dist.Distribution:
    """The distribution under the wrappers of a site."""
    return unwrap(site["fn"])[0]


def float_type() -> jnp.dtype:
    """The floating type that JAX is configured for."""
    return jnp.result_type(float)
