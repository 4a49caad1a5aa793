"""What the sites are given at some parameters: taken from these where it is parameters directly.

The model's function is run for what is a function of the parameters only; where every argument is
an entry of a parameter, or fixed, an array of places says which, and nothing is replayed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from ..families import Args
from ..plan.blocks import StatisticalSite
from ..plan.ties import Layout
from ..read.layout import float_type

if TYPE_CHECKING:
    from ..plan.chunks import Rows
    from ..plan.program import Params, Program


def fixed(program: Program, args: dict[str, Args]) -> dict[str, Args]:
    """{site: the arguments that have fixed entries}, of all ``args`` at any parameters."""
    return {
        site: {n: args[site][n] for n, entry in entries.items() if (entry.index < 0).any()}
        for site, entries in program.direct.items()
    }


def arguments(
    program: Program, params: Params, rows: Rows, only: Collection[str] | None = None
) -> dict[str, Args]:
    """{site: {argument: (k, c, event...)}} for the sites whose arguments vary by no row.

    ``only`` these are asked for: each block by itself would else take those of all sites.
    """
    out: dict[str, Args] = {}
    if program.functions and not (only is not None and program.direct.keys() >= set(only)):
        out |= program.arguments(params, rows.arrays)
    for site, entries in program.direct.items():
        if only is not None and site not in only:
            continue
        own = {}
        for name, entry in entries.items():
            value = taken(program.layout, params, entry.index)
            if name in rows.fixed[site]:
                given = rows.fixed[site][name]
                value = jnp.where(entry.index < 0, given, value.astype(given.dtype))
            own[name] = value
        out[site] = own
    return out


def taken(layout: Layout, params: Params, index: np.ndarray) -> jax.Array:
    """The entries of all parameters, in one vector, at some places; anything where it is -1."""
    starts = layout.starts
    ranges = list(zip(layout.parameters, starts, starts[1:], strict=False))
    inside = [(p, a, b) for p, a, b in ranges if ((index >= a) & (index < b)).any()]
    if not inside:
        return jnp.zeros(index.shape, float_type())
    first, last = inside[0], inside[-1]
    between = ranges[ranges.index(first) : ranges.index(last) + 1]
    flat = jnp.concatenate([jnp.ravel(params[p.name]).astype(float_type()) for p, _, _ in between])
    place = np.maximum(index - first[1], 0)
    begin = int(place.ravel()[0])
    if np.array_equal(place.ravel(), np.arange(begin, begin + place.size)):
        return jax.lax.slice(flat, (begin,), (begin + place.size,)).reshape(place.shape)
    return flat[place]


def log_weights(program: Program, params: Params, rows: Rows, level: int) -> jax.Array:
    """``log p(classes = j)`` of a level: (k,), or (k, n) where it depends on covariates.

    In a chain of all pairs of a component before and one that follows it (see `Reader`).
    """
    priors = [site for site in program.priors if site.level == level]
    if not all(isinstance(s, StatisticalSite) and s.name in program.direct for s in priors):
        return program.log_weights(params, rows.arrays, level, program.constant)
    args = arguments(program, params, rows, [s.name for s in priors])
    classes = program.structure.prior_classes(level)
    total = jnp.zeros((program.structure.num_priors(level),))
    for site in priors:
        assert isinstance(site, StatisticalSite)
        family, own, latent = site.family, args[site.name], site.latent
        assert latent is not None
        values = classes[site.name].astype(total.dtype)[None]  # component by component: (1, k)
        known = {n: jnp.full_like(values, latent.num_components - 1) for n in family.known}
        reference = family.reference(values, jnp.ones_like(values[0]), own, site.ties or {})
        features = family.features(family.coordinates(values, reference), known, reference)
        eta, normaliser = family.natural(own, reference)
        density = (eta[:, 0] * features[0].T).sum(-1) - normaliser[:, 0]
        total += density + family.base(values, known, reference)[0]
    return total
