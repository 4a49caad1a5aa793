"""What the sites' families are given: their arguments, component by component, from the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..calls.call import Call
from ..families import Args, Family, find
from ..machine.traced import traced
from ..read import layout
from ..read.edges import differentiable
from ..read.provenance import dependencies
from ..read.reader import Params, Reader
from ..read.structure import Data
from .regression import Linear, coefficients


def family_of(data: Data) -> Family | None:
    """The family of a site; none where the mask or the data depend on the class or parameters.

    Such a site is scored row by row.
    """
    return find(data.distribution) if data.steady and not data.choice else None


def of_data(reader: Reader, trace: dict, level: int) -> dict[str, dict]:
    """{site: {argument: (1 or n, c, event...)}} of a level's data sites in a trace."""
    rows, out = reader.structure.levels[level], {}
    for data in reader.structure.data:
        family = family_of(data)
        if family is not None and data.level == level:
            given = family.arguments(layout.family_of(trace[data.name]))
            out[data.name] = {
                n: layout.argument(v, rows, data, family.rank.get(n, 0)) for n, v in given.items()
            }
    return out


def _of_priors(reader: Reader, trace: dict, level: int) -> dict[str, dict]:
    """The same of the priors of a level's classes."""
    rows, out = reader.structure.levels[level], {}
    for latent in reader.structure.latents:
        fn = layout.family_of(trace[latent.prior])
        family = find(type(fn))
        if family is not None and latent.level == level:
            out[latent.name] = {
                n: layout.rows_first(v, rows, latent.batch_rank, 0, family.rank.get(n, 0))
                for n, v in family.arguments(fn).items()
            }
    return out


def components(
    reader: Reader, params: Mapping, arrays: tuple, first: jax.Array | None = None
) -> dict[str, dict]:
    """{site: {argument: (k, 1 or n, c, event...)}} of all levels.

    The priors of a chain's classes have an argument for each pair of components. ``first`` is the
    number of the first of either: 0, or a trace of it. The model is traced once for all who ask.
    """
    first = jnp.zeros((), int) if first is None else first
    once = reader.reading.traces("components", lambda: traced(partial(_components, reader)))
    found: dict[str, dict] = once(params, arrays, first)
    return found


def _components(
    reader: Reader, params: Mapping, arrays: tuple, first: jax.Array
) -> dict[str, dict]:
    structure = reader.structure
    found: dict[str, dict] = {}

    def each(read: Callable[[Mapping, jax.Array], dict], size: int) -> dict[str, dict]:
        numbers = jnp.arange(size) + first
        return jax.vmap(lambda j: differentiable(lambda p: read(p, j), params))(numbers)

    for level in range(len(structure.levels)):

        def both(params: Mapping, component: Any, level: int = level) -> dict[str, dict]:
            trace = reader.run(params, arrays, component, level=level)
            found = of_data(reader, trace, level)
            return found if structure.chain else found | _of_priors(reader, trace, level)

        def priors(params: Mapping, pair: Any) -> dict[str, dict]:
            return _of_priors(reader, reader.run_prior(params, arrays, pair), 0)

        found |= each(both, structure.num_components(level))
        if structure.chain is not None:
            found |= each(priors, structure.num_pairs)
    return found


def dependence(reader: Reader, call: Call) -> tuple[dict, dict]:
    """{(site, argument): whether it is an affine function of the parameters}, and of which.

    The name of z stands among these where the class reaches it.
    """

    def evaluate(
        params: Params, arrays: tuple, first: jax.Array
    ) -> dict[tuple[str, str], jax.Array]:
        found = components(reader, params, arrays, first)
        return {(site, n): v for site, args in found.items() for n, v in args.items()}

    values, first, z = reader.probe_values, jnp.zeros((), int), reader.structure.latent.name
    labels = {id(value): name for name, value in values.items()} | {id(first): z}
    found = dependencies(evaluate, (values, call.arrays, first), labels, frozenset({z}))
    affine = dict(found.affine)
    for site, names in _remade(reader).items():
        affine |= dict.fromkeys([(site, n) for n in names], True)
    return affine, found.outputs


def _remade(reader: Reader) -> dict[str, frozenset[str]]:
    """{site: arguments that its distribution keeps in other terms}."""
    families = {d.name: family_of(d) for d in reader.structure.data}
    return {name: family.remade for name, family in families.items() if family is not None}


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
