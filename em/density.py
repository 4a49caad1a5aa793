"""The log densities of sites that are replayed, for the steps of EM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from .ahead import Split, signature, split
from .program import Params, Program

if TYPE_CHECKING:
    from .rows import Rows


def ahead(program: Program, arrays: tuple) -> dict[str, list[jax.Array]]:
    """{site: what its log density takes from the data alone}, where that is dear."""
    names = [n for n in program.rowwise if n not in {s.name for s in program.scored}]
    parts = {n: _split(program, n, program.probe_values, arrays) for n in names}
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


def _split(program: Program, name: str, params: Params, arrays: tuple) -> Split | None:
    """A site's log density in two, kept."""
    (data,) = (d for d in program.structure.data if d.name == name)
    function: Callable = partial(program.replayed_one, names=(name,), level=data.level)
    shapes = jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), (params, arrays))
    component = jax.ShapeDtypeStruct((), jnp.arange(1).dtype)
    key = ("split", name)
    return program.compiled(key, lambda: split(function, shapes[0], component, shapes[1]))
