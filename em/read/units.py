"""Which unit each row of an inner level belongs to."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .densities import level_density, natural_shape
from .examples import example as example_of
from .reader import Reader


def owners(reader: Reader, arrays: tuple, level: int) -> jax.Array:
    """(n,) the unit of each row of an inner level."""
    rows, units = reader.structure.levels[level], reader.structure.levels[0]
    if rows.owner == "plates":
        return jnp.asarray(rows.owners(units))
    return _indexed(reader, arrays, level)


def _indexed(reader: Reader, arrays: tuple, level: int) -> jax.Array:
    """(n,) the unit whose class each row of a level follows, read off by changing classes.

    The units are given the bits of their number as classes, one bit at a time: a row's density is
    then that of the first or of the last component, which spells its unit's number. Rows that
    follow no class belong to unit 0, where they change nothing. Where there is one class only,
    the parameters are given a second one for this.
    """
    structure = reader.structure
    n = structure.levels[0].num_rows
    bits = max(1, (n - 1).bit_length())
    params = example_of(reader, arrays, 1)
    last = {z.name: z.num_components - 1 if z.level == 0 else 0 for z in structure.latents}
    if not any(last.values()):
        last = {z.name: int(z.level == 0) for z in structure.latents}
        params = _with_another(params, example_of(reader, arrays, 2))

    def with_units(flags: jax.Array) -> jax.Array:
        classes = {
            z.name: flags * last[z.name] if z.level == 0 else jnp.zeros((z.num_rows,), int)
            for z in structure.latents
        }
        z = natural_shape(structure, classes)
        return level_density(structure, reader.run(params, arrays, 0, z=z), z, level)

    numbers = jnp.arange(n)
    patterns = jnp.stack([(numbers >> bit) & 1 for bit in range(bits)])
    ends = jnp.stack([jnp.zeros_like(numbers), jnp.ones_like(numbers)])
    try:
        found = jax.lax.map(with_units, jnp.concatenate([ends, patterns]))
    except (TypeError, ValueError) as error:
        if any(z.num_components > 1 for z in structure.latents if z.level == 0):
            raise
        raise ValueError(
            "with one class it cannot be seen which group each row is of: a parameter that has one "
            "entry for another reason stands in the way; give the model two classes, or leave z out"
        ) from error
    first, final, each = found[0], found[1], found[2:]
    is_set = jnp.abs(each - final) < jnp.abs(each - first)
    owner = (is_set * (1 << jnp.arange(bits))[:, None]).sum(0)
    return jnp.clip(owner, 0, n - 1)


def _with_another(params: dict, others: dict) -> dict:
    """Parameters of one component with a second one: what their only slice may be is said twice."""
    return {
        name: jnp.concatenate([value, others[name]]) if jnp.shape(value)[:1] == (1,) else value
        for name, value in params.items()
    }
