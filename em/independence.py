"""Where the jaxpr leaves doubt: whose class does each row depend on, however z is given?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from . import layout
from .arguments import Call
from .latents import Level
from .structure import Structure

if TYPE_CHECKING:
    from .reader import Reader

_MAX_NUMBERS = 2e7


def confirm(reader: Reader, call: Call) -> Structure:
    """The structure with the way of giving z that is right, found by trying.

    At random admissible parameters, z is changed in single rows: only that row's density may
    move. Then z as one broadcasting value is compared with z at its natural shape, which is used
    where they differ. Where another row's density moves, its class may be found by an index
    (``z[group]``): then every row must follow the class of one unit. Data so large that this would
    not fit, or not known yet (read while JAX traces), are taken at the natural shape.

    Raises:
        ValueError: a row's density depends on the classes of several units.
    """
    structure = reader.structure
    natural = replace(structure, pointwise=False, certain=True)
    if structure.num_components() == 1:
        return replace(structure, certain=True)
    size = sum(np.prod(d.shape) for d in structure.data) * structure.num_components()
    if size > _MAX_NUMBERS or any(isinstance(a, jax.core.Tracer) for a in call.arrays):
        return natural
    if any(level.owner == "index" for level in structure.levels):
        reader.structure = natural
        _check_indexed(reader, call, None)
        return natural
    moved = _moved_elsewhere(reader, call)
    if moved is not None:
        if len(structure.latents) > 1:
            raise _shared(structure, *moved)
        own = Level(structure.latent.row_dims, structure.latent.rows, "index")
        indexed = replace(
            natural,
            levels=(*structure.levels, own),
            data=tuple(
                replace(d, level=len(structure.levels)) if structure.latent.name in d.depends else d
                for d in structure.data
            ),
        )
        reader.structure = indexed
        _check_indexed(reader, call, moved)
        return indexed
    if not structure.pointwise:
        return natural
    return replace(structure, certain=True) if _broadcasts(reader, call) else natural


def _shared(structure: Structure, row: int, other: int) -> ValueError:
    name = structure.latent.name
    return ValueError(
        f"the density of row {row} depends on {name!r} of row {other}: EM needs rows that depend "
        f"on their own class only, or each on the class of one unit ({name}[group]). Index or "
        f"combine {name!r} within its row"
    )


def _density(reader: Reader, z: dict[str, jax.Array], arrays: tuple, level: int) -> jax.Array:
    """(n,) the log density of a level's rows with classes given as ``z``, at some parameters."""
    structure = reader.structure
    trace = reader.run(reader.example(arrays, 1), arrays, 0, z=z)
    rows = structure.levels[level]
    total = jnp.zeros((rows.num_rows,))
    for data in structure.data:
        if data.level == level:
            total += layout.row_log_prob(trace[data.name], rows, data)
    for latent in structure.latents:
        if latent.level == level and level:
            fn = layout.family_of(trace[latent.prior])
            value = layout.rows_first(fn.log_prob(z[latent.name]), rows, latent.batch_rank, 0, 0)
            total += value[:, 0]
    return total


def _all_rows(structure: Structure, components: jax.Array) -> dict[str, jax.Array]:
    """Every latent at its natural shape: the units' from ``components`` (n,), the others 0."""
    out = {}
    for latent in structure.latents:
        full = latent.value(0, False)
        if latent.level == 0:
            classes = structure.classes(components)[latent.name]
            full = classes.reshape(full.shape)
        out[latent.name] = full
    return out


def _moved_elsewhere(reader: Reader, call: Call) -> tuple[int, int] | None:
    """A row whose density moves with the class of another row, and that row."""
    structure = reader.structure
    n = structure.levels[0].num_rows
    rng = np.random.default_rng(0)
    rows = np.unique([0, n - 1, n // 2, *rng.integers(n, size=3)])
    base = np.zeros((1 + len(rows), n), int)
    base[np.arange(len(rows)) + 1, rows] = structure.num_components() - 1

    def each(changed: jax.Array, arrays: tuple) -> jax.Array:
        return jax.lax.map(lambda c: _density(reader, _all_rows(structure, c), arrays, 0), changed)

    found = np.asarray(jax.jit(each)(jnp.asarray(base), call.arrays))
    for row, changed in zip(rows, found[1:], strict=True):
        moved = ~np.isclose(changed, found[0], rtol=1e-5, atol=1e-6, equal_nan=True)
        moved[row] = False
        if moved.any():
            return int(np.argmax(moved)), int(row)
    return None


def _broadcasts(reader: Reader, call: Call) -> bool:
    """Whether one broadcasting value of z gives the densities of a whole column of them."""
    structure = reader.structure
    last = structure.num_components() - 1

    def both(arrays: tuple) -> list[tuple[jax.Array, jax.Array]]:
        column = jnp.full(structure.levels[0].num_rows, last)
        full = _all_rows(structure, column)
        one = {
            z.name: z.value(structure.classes(last)[z.name], structure.pointwise)
            for z in structure.latents
        }
        return [
            (_density(reader, full, arrays, level), _density(reader, one, arrays, level))
            for level in range(len(structure.levels))
        ]

    found = jax.jit(both)(call.arrays)
    return all(
        np.allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in found
    )


def indexed_owners(reader: Reader, arrays: tuple, level: int) -> jax.Array:
    """(n,) the unit whose class each row of a level follows, read off by changing classes.

    The units are given the bits of their number as classes, one bit at a time: a row's density is
    then that of the first or of the last component, which spells its unit's number. Rows that
    follow no class belong to unit 0, where they change nothing.
    """
    structure = reader.structure
    n, last = structure.levels[0].num_rows, structure.num_components() - 1
    bits = max(1, (n - 1).bit_length())

    def density(classes: jax.Array) -> jax.Array:
        return _density(reader, _all_rows(structure, classes), arrays, level)

    numbers = jnp.arange(n)
    patterns = jnp.stack([(numbers >> bit) & 1 for bit in range(bits)]) * last
    ends = jnp.stack([jnp.zeros_like(numbers), jnp.full_like(numbers, last)])
    found = jax.lax.map(density, jnp.concatenate([ends, patterns]))
    first, final, each = found[0], found[1], found[2:]
    is_set = jnp.abs(each - final) < jnp.abs(each - first)
    owner = (is_set * (1 << jnp.arange(bits))[:, None]).sum(0)
    return jnp.clip(owner, 0, n - 1)


def _check_indexed(reader: Reader, call: Call, moved: tuple[int, int] | None) -> None:
    """At random classes, every row must have the density of its unit's class."""
    structure = reader.structure
    n, k = structure.levels[0].num_rows, structure.num_components()
    classes = jnp.asarray(np.random.default_rng(1).integers(k, size=n))

    def both(arrays: tuple) -> list[tuple[jax.Array, jax.Array]]:
        out = []
        for level in reader.inner_levels:
            owner = reader.owners(arrays, level)
            mixed = _density(reader, _all_rows(structure, classes), arrays, level)
            every = jax.lax.map(
                lambda c, level=level: _density(
                    reader, _all_rows(structure, jnp.full((n,), c)), arrays, level
                ),
                jnp.arange(k),
            )
            out.append((mixed, every[classes[owner], jnp.arange(owner.shape[0])]))
        return out

    for level, (mixed, own) in zip(reader.inner_levels, jax.jit(both)(call.arrays), strict=True):
        mixed, own = np.asarray(mixed), np.asarray(own)
        wrong = ~np.isclose(mixed, own, rtol=1e-5, atol=1e-5, equal_nan=True)
        if wrong.any() and moved is not None:
            raise _shared(structure, *moved)
        if wrong.any():
            sites = ", ".join(repr(d.name) for d in structure.data if d.level == level)
            name = structure.latent.name
            raise ValueError(
                f"site {sites} depends on {name!r} but does not stand in its plate of {n} rows, "
                f"and its row {int(np.argmax(wrong))} does not follow the class of one of them: "
                f"put both in one plate, or index by row ({name}[group])"
            )
