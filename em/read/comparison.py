"""A reading beside NumPyro: where the densities of rows, or all of them, are not the same."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers, validation_enabled
from numpyro.infer.util import log_density

from ..calls.call import Call
from ..machine.jit import every, once_jit
from . import layout
from .densities import level_density, natural_shape
from .examples import example as example_of
from .reader import Params, Reader
from .replay import Replay
from .structure import Structure
from .units import owners as owners_of

# Parameters are drawn on the unconstrained scale, of these spreads, and of the data's size or not.
_SEEDS, _SPREADS, _OF_SIZE = (11, 12, 13), (1.0, 1.0, 3.0), (False, True, True)
_RANDOM = 3


class Doubt(NamedTuple):
    """Where a reading is not NumPyro's density: a row of a level, and both log densities.

    Level -1 is the whole log density.
    """

    level: int
    row: int
    read: float
    own: float
    sites: str = ""


def doubt_of(reader: Reader, call: Call) -> Doubt | None:
    """The first density that is not as read; None if there is none."""
    structure = reader.structure
    patterns = _patterns(structure)
    times = len(patterns[structure.latent.name])

    def make() -> Any:
        return once_jit(reader, partial(_compare, reader), times)

    compare = reader.compiled("compare", make)
    try:
        found = jax.tree.map(np.asarray, compare(patterns, _size(call), call.arrays))
    except Exception:  # whatever a model does with a z of another shape than its own
        if structure.pointwise:
            return Doubt(-1, 0, np.nan, np.nan)
        raise
    (read, own, size), rows = found
    for level, (worst, row, *both) in enumerate(rows):
        place = int(np.argmax(worst))
        if worst.ravel()[place] > 1:
            sites = " or ".join(repr(d.name) for d in structure.data if d.level == level)
            where, told, own_one = (v.ravel()[place] for v in (row, *both))
            return Doubt(level, int(where), told, own_one, sites)
    finite = np.isfinite(own) & np.isfinite(read)
    gap = np.where(finite, read, 0) - np.where(finite, own, 0)
    wrong = finite & (np.abs(gap) > _tolerance(own.dtype) * size)
    if reader.reading.to_fit and wrong.any():
        place = int(np.argmax(wrong))
        return Doubt(-1, 0, read.ravel()[place], own.ravel()[place])
    return None


def _tolerance(dtype: Any) -> float:
    return 1e-9 if np.finfo(dtype).bits > 32 else 3e-5


def _size(call: Call) -> tuple[float, float]:
    """Location and spread of the numbers among the arguments."""
    numbers = [np.asarray(a).ravel()[: 1 << 16] for a in call.arrays if a.dtype.kind in "fiu"]
    values = np.concatenate([np.zeros(0), *numbers])
    values = values[np.isfinite(values)]
    largest = np.abs(values).max(initial=0.0)
    if not largest > 0:
        return 0.0, 1.0
    spread = float((values / largest).std() * largest)  # whose squares would overflow at 1e200
    return (float(np.median(values / largest) * largest), spread) if spread > 0 else (0.0, 1.0)


def _patterns(structure: Structure) -> dict[str, np.ndarray]:
    """{latent: (p, n)} classes to try: random ones, and the bits of each row's number.

    Any two rows differ in some bit, so that one row that reads the class of another is found.
    """
    rng = np.random.default_rng(3)
    out = {}
    for latent in structure.latents:
        n, last = latent.num_rows, latent.num_components - 1
        drawn = rng.integers(latent.num_components, size=(_RANDOM, n))
        bits = range(0 if structure.certain else max(1, (n - 1).bit_length()))
        each = [((np.arange(n) >> bit) & 1) * last for bit in bits]
        found = np.stack([*drawn, *each, *(last - pattern for pattern in each)])
        if structure.chain is not None and latent.name in structure.chain.constant:
            number = structure.chain.number
            found = np.tile(found[:, :number], structure.chain.length)
        out[latent.name] = found
    most = max(len(v) for v in out.values())
    return {n: v[np.arange(most) % len(v)] for n, v in out.items()}


def _compare(reader: Reader, patterns: dict, size: tuple, arrays: tuple) -> tuple:
    """How far the reading is from NumPyro's densities, of each draw and pattern of classes.

    (read, NumPyro's, size of the terms) of the whole log density; then of each level how wrong the
    worst row is (1: as much as rounding may make), which row, and both of its log densities.
    """
    structure, dtype = reader.structure, layout.float_type()
    levels = range(len(structure.levels))
    owners = {level: owners_of(reader, arrays, level) for level in reader.inner_levels}
    classes = {n: jnp.asarray(v) for n, v in patterns.items()}
    each = every(reader, len(classes[structure.latent.name]))
    wanted = [
        jax.vmap(lambda own, level=level: _component(structure, own, owners, level))(classes)
        for level in levels
    ]

    def read(params: Params, level: int) -> jax.Array:
        """(p, n) what the reading says of the rows' own classes."""

        def add(component: jax.Array, found: jax.Array) -> jax.Array:
            mine = _level_density(reader, params, component, arrays, level)
            return jnp.where(wanted[level] == component, mine, found)

        number = reader.structure.num_priors(level)
        return jax.lax.fori_loop(0, number, add, jnp.zeros(wanted[level].shape, dtype))

    def at(which: jax.Array) -> tuple:
        own_size = jnp.asarray(_OF_SIZE)[which]
        location = jnp.where(own_size, size[0], 0.0).astype(dtype)
        scale = jnp.where(own_size, size[1], 1.0).astype(dtype)
        spread = jnp.asarray(_SPREADS, dtype)[which]
        params = example_of(reader, arrays, _SEEDS, which, spread, (location, scale))
        run = partial(_natural, reader, params, arrays)
        whole, rows = each(run)(classes)
        return whole, [_worst(read(params, level), rows[level]) for level in levels]

    return jax.lax.map(at, jnp.arange(len(_SEEDS)))


def _natural(reader: Reader, params: Params, arrays: tuple, classes: dict) -> tuple:
    """The model run as it is written: (read, NumPyro's, size) of the whole; rows (n,) by level."""
    structure = reader.structure
    z = natural_shape(structure, classes)
    forced = z | {latent.prior: z[latent.name] for latent in structure.latents}
    inner = reader.model
    if structure.chain is not None:  # within a scan NumPyro asks its own handlers only
        inner = handlers.substitute(inner, data=z)
    model = handlers.seed(Replay(inner, values=params, forced=forced), 0)
    # Labels of which some are unknown may be no classes at all (NaN).
    partly = [z.labels for z in structure.latents if z.partly]
    model = handlers.block(model, hide=partly)
    args, kwargs = reader.template.rebuild(arrays)
    with validation_enabled(False):
        whole, trace = log_density(model, args, kwargs, {})
    terms = [_term(trace[name]) for name in _counted(structure, trace)]
    read = sum((t.sum() for t in terms), jnp.zeros((), whole.dtype))
    size = sum((jnp.abs(t).sum() for t in terms), jnp.ones((), whole.dtype))
    levels = range(len(structure.levels))
    return (read, whole, size), [level_density(structure, trace, z, level) for level in levels]


def _level_density(
    reader: Reader, params: Params, component: Any, arrays: tuple, level: int
) -> jax.Array:
    """(n,) what the reading says of a component: all sites of a level, and its classes' prior."""
    trace = reader.run_prior(params, arrays, component, level)
    classes = {n: v[component] for n, v in reader.structure.prior_classes(level).items()}
    z = {}
    for latent in reader.structure.latents:
        if latent.level == level:
            support = layout.family_of(trace[latent.prior]).enumerate_support(expand=False)
            z[latent.name] = support.reshape(-1)[classes[latent.name]]
    return level_density(reader.structure, trace, z, level)


def apart(structure: Structure) -> list[str]:
    """The sites whose density is no row's: parameters, what is beside the rows, the classes."""
    names = [p.name for p in structure.parameters] + [a.name for a in structure.auxiliary]
    for latent in structure.latents:
        names += [n for n in (latent.prior, latent.labels) if n is not None]
    return list(dict.fromkeys(names))


def _counted(structure: Structure, trace: dict) -> list[str]:
    names = [*apart(structure), *(d.name for d in structure.data)]
    return [n for n in names if n in trace and trace[n]["type"] == "sample"]


def _term(site: dict) -> jax.Array:
    """A site's log density times its scale; unscaled it is kept, for `layout.row_log_prob`."""
    site["log_prob"] = log_prob = jnp.asarray(site["fn"].log_prob(site["value"]))
    return log_prob if site["scale"] is None else site["scale"] * log_prob


def _worst(read: jax.Array, own: jax.Array) -> tuple:
    """(p,) of rows (p, n): how wrong the worst is, which it is, both log densities."""
    equal = (read == own) | (jnp.isnan(read) & jnp.isnan(own))
    wrong = jnp.abs(read - own) / (1 + jnp.abs(read) + jnp.abs(own)) / _tolerance(read.dtype)
    wrong = jnp.where(equal, 0, jnp.where(jnp.isfinite(wrong), wrong, jnp.inf))
    row = wrong.argmax(1)
    pick = jax.vmap(lambda v, i: v[i])
    return pick(wrong, row), row, pick(read, row), pick(own, row)


def _component(structure: Structure, own: dict, owners: dict, level: int) -> jax.Array:
    """(n,) the component of each of a level's rows: its classes, after those of its unit.

    In a chain its pair of components.
    """
    number = _number(structure, own, 0, jnp.zeros((), int))
    chain, k = structure.chain, structure.num_components()
    if chain is not None:
        before = number.reshape(chain.length, chain.number)
        before = jnp.concatenate([jnp.full_like(before[:1], k), before[:-1]]).ravel()
        return before * k + number
    if level == 0:
        return number
    rows = structure.levels[level]
    inner = _number(structure, own, level, jnp.zeros((rows.num_rows,), int))
    return number[owners[level]] * rows.num_classes + inner


def _number(structure: Structure, own: dict, level: int, number: jax.Array) -> jax.Array:
    """The combination of a level's own classes, as `Structure.classes` takes it apart."""
    for latent in structure.latents:
        if latent.level == level:
            number = number * latent.num_components + own[latent.name]
    return number
