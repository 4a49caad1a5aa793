"""Which classes of a chain have the same prior at all steps but the first: found by trying."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp

from ...calls.call import Call
from ...machine.jit import once_jit, quick_jit
from .. import layout
from ..examples import example as example_of
from ..proof import proved
from ..provenance import dependencies
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
    if _traced(call) or _moves(reader, call):
        return structure
    names = frozenset(z.name for z in structure.latents)
    chain = replace(structure.chain, steady=names, bound=_of_data(reader, call))
    latents = tuple(replace(z, rowwise=False) for z in structure.latents)
    return replace(structure, chain=chain, latents=latents)


def serves(reader: Reader, call: Call) -> bool:
    """Whether a reading serves another call of the same signature: values may matter to it.

    Those that the model needs in Python, those by which rows find their units, and those by which
    priors of a chain are steady.
    """
    chain = reader.structure.chain
    if not reader.serves(call) or not (_traced(call) or proved(reader, call)):
        return False
    if chain is None or not chain.bound:
        return True
    if _traced(call):
        return False
    plain = replace(reader.structure, chain=replace(chain, steady=frozenset()))

    def make() -> Reader:
        return Reader(replace(reader.reading, structure=plain))

    return not _moves(reader.compiled("plain", make), call, quick_jit)


def _traced(call: Call) -> bool:
    return any(isinstance(a, jax.core.Tracer) for a in call.arrays)


def _of_data(reader: Reader, call: Call) -> bool:
    """Whether a prior depends on the arguments of the model, by its jaxpr."""

    def densities(arrays: tuple) -> dict[str, list]:
        trace = reader.run_prior(reader.probe_values, arrays, 0)
        priors = {z.name: layout.family_of(trace[z.prior]) for z in reader.structure.latents}
        return {n: [fn.log_prob(jnp.zeros((), int))] for n, fn in priors.items()}

    labels = {id(a): "data" for a in call.arrays}
    return any(dependencies(densities, (call.arrays,), labels).outputs.values())


def _moves(reader: Reader, call: Call, jit: Callable = once_jit) -> bool:
    """Whether the prior of some pair of components is not the same in all rows."""

    def differ(arrays: tuple) -> jax.Array:
        params = [example_of(reader, arrays, seed) for seed in _SEEDS]
        each = jax.tree.map(lambda *v: jnp.stack(v), *params)
        pairs = jnp.arange(reader.structure.num_pairs)
        return jax.lax.map(
            lambda p: jax.lax.map(lambda pair: _pair_moves(reader, p, arrays, pair), pairs), each
        ).any()

    return bool(reader.compiled("moves", lambda: jit(reader, differ))(call.arrays))


def _pair_moves(reader: Reader, params: dict, arrays: tuple, pair: jax.Array) -> jax.Array:
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
