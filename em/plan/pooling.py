"""Observations beside the rows that are of a component's own distribution: pooled with its rows.

A labelled or calibration sample, ``Normal(loc[0], scale[0])`` or ``Normal(loc[label],
scale[label])`` in a plate of its own, has sufficient statistics, which are added to those of the
mixture's site whose parameters it has, entry by entry. The M-step then stays in closed form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..families import Augmented, RowFamily, Statistics, find
from ..machine.jit import once_jit
from ..read.latents import unwrap
from ..read.provenance import dependencies
from . import ties
from .blocks import Pool

if TYPE_CHECKING:
    from ..calls.call import Call
    from .blocks import StatisticalSite
    from .program import Params, Program


def find_pool(program: Program, name: str, site: StatisticalSite, call: Call) -> Pool | None:
    """How the site ``name`` pools with a mixture's, if all of its entries do."""
    message = program.run(program.probe_values, call.arrays, 0)[name]
    fn, _, mask = unwrap(message["fn"])
    family = find(type(fn))
    plain = family is not None and not isinstance(family, RowFamily | Augmented)
    if not plain or type(family) is not type(site.family) or mask is not True:
        return None
    if jnp.result_type(message["value"]).kind not in "fiub" or not jnp.size(message["value"]):
        return None

    def own(params: Params, arrays: tuple) -> dict[tuple[str, str], jax.Array]:
        return {(name, n): v for n, v in _arguments(program, name, params, arrays).items()}

    values = program.probe_values
    labels = {id(value): n for n, value in values.items()}
    affine = dependencies(own, (values, call.arrays), labels).affine
    compiled = once_jit(
        program, lambda params: {name: _arguments(program, name, params, call.arrays)}
    )
    probed, _ = ties.probe(compiled, program.structure.free, affine)
    if set(probed[name]) != set(site.entries):
        return None
    mixture = once_jit(program, lambda params: program.arguments(params, call.arrays)[site.name])
    fixed = jax.tree.map(np.asarray, (compiled(values)[name], mixture(values)))
    here, there = _signatures(probed[name], fixed[0]), _signatures(site.entries, fixed[1])
    if here is None or there is None:
        return None
    cells = next(iter(fixed[1].values())).shape[1]
    places = {key: place for place, key in reversed(list(enumerate(there)))}
    found = [places.get(key, -1) for key in here]
    if min(found) < 0:
        return None
    return Pool(name, family, *np.divmod(np.array(found), cells))


def _signatures(entries: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> list | None:
    """What tells the cells (k c) apart: which parameter entries they are, or which fixed values."""
    parts = []
    for argument in sorted(entries):
        entry = entries[argument]
        if entry is None:
            return None
        index = entry.index.reshape(entry.index.shape[0] * entry.index.shape[1], -1)
        value = values[argument].reshape(index.shape)
        given = np.where(index < 0, value, 0)
        parts.append([tuple(zip(*pair, strict=True)) for pair in zip(index, given, strict=True)])
    return list(zip(*parts, strict=True))


def _arguments(program: Program, name: str, params: Params, arrays: tuple) -> dict[str, jax.Array]:
    """{argument: (e, 1, event...)} of every entry of a site."""
    message = program.run(params, arrays, 0)[name]
    fn = unwrap(message["fn"])[0]
    family = find(type(fn))
    assert family is not None
    batch = _batch(message)
    out = {}
    for argument, value in family.arguments(fn).items():
        value = jnp.asarray(value)
        event = value.shape[value.ndim - family.rank.get(argument, 0) :]
        out[argument] = jnp.broadcast_to(value, (*batch, *event)).reshape(-1, 1, *event)
    return out


def _batch(message: dict) -> tuple[int, ...]:
    fn = message["fn"]
    shape = tuple(fn.batch_shape) + tuple(fn.event_shape)
    return shape[: len(shape) - unwrap(fn)[0].event_dim]


def statistics(
    program: Program, pool: Pool, site: StatisticalSite, reference: Any, arrays: tuple, dtype: Any
) -> Statistics:
    """What the observations add to the statistics (k, c) of the mixture's site."""
    message = program.run(program.probe_values, arrays, 0)[pool.name]
    fn, batch = unwrap(message["fn"])[0], _batch(message)
    value = jnp.broadcast_to(jnp.asarray(message["value"]), (*batch, *fn.event_shape))
    x = jnp.moveaxis(value.reshape(-1, *fn.event_shape), 0, -1).astype(dtype)
    weights = jnp.ones((x.shape[-1],), dtype)
    if message["scale"] is not None:
        outer = message["fn"].batch_shape
        scale = jnp.broadcast_to(jnp.asarray(message["scale"], dtype), outer)
        scale = scale.reshape(outer + (1,) * (len(batch) - len(outer)))
        weights = jnp.broadcast_to(scale, batch).reshape(-1)
    (shape,) = {e.index.shape[:2] for e in site.entries.values() if e is not None}
    k, cells = shape
    # As rows of the mixture's site that have the observation in every cell; one of them counts.
    known = {}
    for name in pool.family.known:
        given = jnp.broadcast_to(getattr(fn, name), batch).reshape(-1)
        known[name] = jnp.broadcast_to(given, (cells, x.shape[-1])).astype(dtype)
    u = pool.family.coordinates(jnp.broadcast_to(x, (cells, *x.shape)), reference)
    features = pool.family.features(u, known, reference)  # (c, q, e)
    own = jnp.moveaxis(features, -1, 0)[np.arange(x.shape[-1]), pool.c] * weights[:, None]
    place = pool.k * cells + pool.c
    count = jax.ops.segment_sum(weights, place, k * cells)
    sums = jax.ops.segment_sum(own, place, k * cells)
    return Statistics(count.reshape(shape), sums.reshape(k, cells, -1))
