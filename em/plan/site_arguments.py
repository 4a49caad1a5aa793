"""What the sites' families are given: their arguments, component by component, from the model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..families import Args, Family, find
from ..read import layout
from ..read.edges import differentiable
from ..read.reader import Params, Reader
from ..read.structure import Data
from .regression import Linear, coefficients


def family_of(data: Data) -> Family | None:
    """The family of a site; none where the mask or the data depend on the class or parameters.

    Such a site is scored row by row.
    """
    return find(data.distribution) if data.steady and not data.choice else None


def _component(
    reader: Reader, params: Mapping, arrays: tuple, level: int, component: Any
) -> dict[str, dict]:
    """The family arguments (1 or n, c, event...) of a level's sites, for one component."""

    def arguments(params: Mapping) -> dict[str, dict]:
        return _read(reader, params, arrays, level, component)

    return differentiable(arguments, params)


def _read(
    reader: Reader, params: Mapping, arrays: tuple, level: int, component: Any
) -> dict[str, dict]:
    trace, rows = reader.run(params, arrays, component, level=level), reader.structure.levels[level]
    out: dict[str, dict] = {}
    for data in reader.structure.data:
        family = family_of(data)
        if family is not None and data.level == level:
            given = family.arguments(layout.family_of(trace[data.name]))
            out[data.name] = {
                n: layout.argument(v, rows, data, family.rank.get(n, 0)) for n, v in given.items()
            }
    for latent in reader.structure.latents:
        fn = layout.family_of(trace[latent.prior])
        family = find(type(fn))
        if family is not None and latent.level == level:
            out[latent.name] = {
                n: layout.rows_first(v, rows, latent.batch_rank, 0, family.rank.get(n, 0))
                for n, v in family.arguments(fn).items()
            }
    return out


def components(reader: Reader, params: Mapping, arrays: tuple) -> dict[str, dict]:
    """{site: {argument: (k, 1 or n, c, event...)}} of all levels."""
    found: dict[str, dict] = {}
    for level in range(len(reader.structure.levels)):
        one = partial(_component, reader, params, arrays, level)
        found |= jax.vmap(one)(jnp.arange(reader.structure.num_components(level)))
    return found


def arguments(
    reader: Reader,
    params: Params,
    arrays: tuple,
    whole: Mapping[str, frozenset[str]],
    linear: Mapping[str, Linear],
) -> dict[str, Args]:
    """{site: {argument: (k, c, event...)}} for the sites whose arguments vary by no row.

    ``whole`` {site: those that do not}; the mean of a ``linear`` site is its coefficients.
    """
    found = components(reader, params, arrays)
    out: dict[str, Args] = {
        site: {n: v[:, 0] for n, v in args.items()}
        for site, args in found.items()
        if args and set(args) <= whole[site]
    }
    for site, own in linear.items():
        scale = found[site]["scale"][:, 0]
        out[site] = {"coefficients": coefficients(reader, own, params), "scale": scale}
    return out
