"""The log densities of sites that work row by row, for the steps of EM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from ..families import Args
from ..machine.hoist import Split, signature, split
from ..plan.blocks import RowSite

if TYPE_CHECKING:
    from ..plan.chunks import Rows
    from ..plan.program import Params, Program


def ahead(program: Program, arrays: tuple) -> dict[str, list[jax.Array]]:
    """{site: what its log density takes from the data alone}, where that is dear."""
    parts = {n: _split(program, n, program.probe_values, arrays) for n in program.replayed_sites}
    return {n: part.ahead(arrays) for n, part in parts.items() if part is not None}


def log_density(
    program: Program, params: Params, rows: Rows, names: Sequence[str], level: int = 0
) -> jax.Array:
    """(k, n) the log density of the named sites of a level, by NumPyro's own ``log_prob``."""
    one = partial(log_density_of, program, params, rows, names, level=level)
    return jax.vmap(one)(jnp.arange(program.structure.num_components(level)))


def log_density_of(
    program: Program,
    params: Params,
    rows: Rows,
    names: Sequence[str],
    component: Any,
    level: int = 0,
) -> jax.Array:
    """(n,) the same for one component."""
    own = [d.name for d in program.structure.data if d.name in names and d.level == level]
    found = {n: _split(program, n, params, rows.arrays) for n in own if n in rows.ahead}
    parts = {n: part for n, part in found.items() if part and part.signature == signature(params)}
    rest = tuple(n for n in own if n not in parts)
    total = jnp.zeros((program.structure.levels[level].num_rows,))
    if rest:
        total += program.replayed_one(params, component, rows.arrays, rest, level)
    for name, part in parts.items():
        total += part.rest(params, component, rows.ahead[name], rows.arrays)
    return total


def own_log_density(site: RowSite, args: Args, rows: Rows) -> jax.Array:
    """(k, n) the log density of a site that its family scores."""
    u, known, seen, reference = rows.of(site.name, site.level)
    cells = site.family.log_density(u, known, args, reference)
    return (cells if seen is None else cells * seen).sum(1)


def _split(program: Program, name: str, params: Params, arrays: tuple) -> Split | None:
    """A site's log density in two, kept."""

    def make() -> Split | None:
        (data,) = (d for d in program.structure.data if d.name == name)
        function: Callable = partial(program.replayed_one, names=(name,), level=data.level)
        shapes = jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), (params, arrays))
        return split(function, shapes[0], jax.ShapeDtypeStruct((), jnp.arange(1).dtype), shapes[1])

    return program.compiled(("split", name), make)
