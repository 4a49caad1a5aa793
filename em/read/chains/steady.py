"""Which classes of a chain have the same prior at all steps but the first: found by trying."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp

from ...calls.call import Call
from ...machine.jit import once_jit
from .. import layout
from ..examples import example as example_of
from ..reader import Reader
from ..reading import Reading
from ..structure import Structure

_SEEDS = (21, 22)
# A compiler may take the logarithms of one array in two ways.
_ROUNDING = 8


def settled(reading: Reading, call: Call) -> Structure:
    """The structure, with the priors that are steady; none are while JAX traces the data.

    That they are is proved with the rest of the reading, at other parameters.
    """
    structure, reader = reading.structure, Reader(reading)
    assert structure.chain is not None
    if any(isinstance(a, jax.core.Tracer) for a in call.arrays):
        return structure

    def differ(arrays: tuple) -> jax.Array:
        params = [example_of(reader, arrays, seed) for seed in _SEEDS]
        each = jax.tree.map(lambda *v: jnp.stack(v), *params)
        pairs = jnp.arange(structure.num_pairs)
        return jax.lax.map(
            lambda p: jax.lax.map(lambda pair: _moves(reader, p, arrays, pair), pairs), each
        ).any()

    if bool(once_jit(reader, differ)(call.arrays)):
        return structure
    chain = replace(structure.chain, steady=frozenset(z.name for z in structure.latents))
    latents = tuple(replace(z, rowwise=False) for z in structure.latents)
    return replace(structure, chain=chain, latents=latents)


def _moves(reader: Reader, params: dict, arrays: tuple, pair: jax.Array) -> jax.Array:
    """Whether the priors of a pair are not the same in all rows."""
    trace, units = reader.run_prior(params, arrays, pair), reader.structure.levels[0]
    found = jnp.zeros((), bool)
    for latent in reader.structure.latents:
        fn = layout.family_of(trace[latent.prior])
        for value in fn.enumerate_support(expand=False).reshape(-1):
            log_prob = layout.rows_first(fn.log_prob(value), units, latent.batch_rank, 0, 0)
            first = log_prob[:1]
            near = jnp.abs(log_prob - first) <= _ROUNDING * jnp.finfo(first.dtype).eps * (
                1 + jnp.abs(first)
            )
            found |= ~((log_prob == first) | near).all()
    return found
