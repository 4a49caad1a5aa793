"""How narrow each component is beside the data: where that tends to 0 the likelihood is unbounded.

A family knows the scale of its components (`Family.relative_scale`). Of a density that no family
has, such as a user's own or one with censored rows, the component's rows and how steep it is among
them tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import constraints

from ..families import Args, Ties, by_cell, each_by_itself
from ..plan.blocks import FamilySite, Site
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..plan.site_arguments import components, family_of
from ..plan.ties import Entries
from ..read import layout
from . import point

# A scale within so much of the widest component's may be one that all share, written as a function.
_SHARED = 0.5
# Densities as steep as a normal of so small a part of the data's scale are judged by their rows.
_STEEP = 0.05
# A row of which a component has so much is its own.
_OWN = 0.5
# Densities of neighbouring numbers differ by less than a factor, in logarithms.
_CONTINUOUS = 0.1


def of_step(program: Program, params: Params, rows: Rows) -> tuple[jax.Array, jax.Array]:
    """() the smallest of `direct`, and of all scales: shared and fixed ones round as much."""
    args = point.arguments(program, params, rows)
    own = _direct(program, args, rows).min()
    narrowest = own
    for site in program.of_families:
        assert site.ties is not None
        if all(t.alone for t in site.ties.values()):
            continue
        ties = {n: each_by_itself(np.zeros_like(t.fixed)) for n, t in site.ties.items()}
        scale = site.family.relative_scale(args[site.name], ties, rows.reference[site.name])
        if scale is not None:
            narrowest = jnp.minimum(narrowest, scale.min())
    return own, narrowest


def direct(program: Program, params: Params, rows: Rows) -> jax.Array:
    """(k,) each component's own smallest scale relative to the data's (infinite if it has none).

    Of the sites whose families' arguments are parameters directly: asked at every step.
    """
    return _direct(program, point.arguments(program, params, rows), rows)


def _direct(program: Program, args: Mapping[str, Args], rows: Rows) -> jax.Array:
    smallest = jnp.full((program.num_components,), jnp.inf)
    for site in program.of_families:
        assert site.ties is not None
        reference = rows.reference[site.name]
        own = site.family.relative_scale(args[site.name], site.ties, reference)
        if own is not None:
            smallest = _smaller(program, smallest, own)
    return smallest


def of_all(
    program: Program, params: Params, rows: Rows, responsibilities: Mapping[int, jax.Array]
) -> jax.Array:
    """(k,) the same of all sites, by the responsibilities {level: (k, n)} where these are kept."""
    args = point.arguments(program, params, rows)
    smallest = _direct(program, args, rows)
    for site in program.sites:
        if site in program.of_families or site.data is None:
            continue
        if site.data.discrete or not math.prod(site.data.shape):  # bounded, or a factor
            continue
        if isinstance(site, FamilySite):
            scale = _by_family(site, args[site.name], rows)
        elif family_of(site.data) is not None:
            scale = _by_arguments(program, site, params, responsibilities[site.level], rows)
        else:
            scale = _by_rows(program, site, params, responsibilities[site.level], rows)
        if scale is not None:
            smallest = _smaller(program, smallest, _alone(scale))
    return smallest


def _by_family(site: FamilySite, args: Args, rows: Rows) -> jax.Array | None:
    """(k,) by the family of a site whose arguments are functions of the parameters."""
    ties = _loose(args, site.entries)
    return site.family.relative_scale(args, ties, rows.reference[site.name])


def _smaller(program: Program, smallest: jax.Array, own: jax.Array) -> jax.Array:
    # The components of rows within units count for those of their unit.
    return jnp.minimum(smallest, own.reshape(program.num_components, -1).min(1))


def _alone(scale: jax.Array) -> jax.Array:
    """Scales (k,), infinite where the widest component's is about as small, unless all are gone.

    Where arguments are functions of the parameters, that a scale is shared shows in its value.
    """
    finite = jnp.where(jnp.isfinite(scale), scale, 0)
    gone = scale <= 4 * jnp.finfo(scale.dtype).eps ** 0.5
    return jnp.where((scale >= _SHARED * finite.max()) & ~gone, jnp.inf, scale)


def _loose(args: Args, entries: Mapping[str, Entries | None]) -> dict[str, Ties]:
    """Ties of arguments that are functions: each cell for itself, fixed where it never changes."""
    found = {}
    for name, value in args.items():
        shape, entry = value.shape[:2], entries.get(name)
        fixed = np.zeros(shape, bool) if entry is None else (entry.cells < 0).all(-1)
        found[name] = each_by_itself(fixed)
    return found


def _by_arguments(
    program: Program,
    site: Site,
    params: Params,
    responsibilities: jax.Array,
    rows: Rows,
) -> jax.Array | None:
    """(k,) by the family of a site whose arguments (k, 1 or n, c, event...) may vary by row.

    The smallest at a component's own rows, beside the data as they are: what covariates explain of
    them is not known here.
    """
    assert site.data is not None
    family = family_of(site.data)
    assert family is not None
    args = components(program, params, rows.arrays)[site.name]
    values, seen, _ = _observed(program, site, params, rows)
    first = {n: v[:, 0] for n, v in args.items()}
    weights = jnp.where(seen.all(0), rows.weights_of(site.level), 0)
    # The components share a cell's centre and spread.
    reference = family.reference(values, weights, first, by_cell(first))
    ties = _loose(first, {})
    if family.relative_scale(first, ties, reference) is None:
        return None
    n = values.shape[-1]
    by_row = {a: jnp.broadcast_to(v, (v.shape[0], n, *v.shape[2:])) for a, v in args.items()}

    def of_row(args: Args) -> jax.Array:
        own = family.relative_scale(args, ties, reference)
        assert own is not None
        return own

    scales = jax.vmap(of_row, 1)(by_row)
    return jnp.where(responsibilities.T >= _OWN, scales, jnp.inf).min(0)


def _by_rows(
    program: Program,
    site: Site,
    params: Params,
    responsibilities: jax.Array,
    rows: Rows,
) -> jax.Array:
    """(k,) by how far apart a component's own rows are, where its density is steep among them.

    A density on the whole line that is nowhere above f is no narrower than a normal of scale ``1 /
    (f sqrt(2 pi))``. Where that is nearly 0 beside the data's scale, the scale of the component is
    the root mean square of its rows about their mean: of rows along a line it is no small one. On
    the scales of log x and logit x where x is positive or between 0 and 1.
    """
    values, seen, support = _observed(program, site, params, rows)
    x, log_slope = _on_the_line(support, values.reshape(-1, values.shape[-1]))
    inside = seen.all(0) & jnp.isfinite(x).all(0)
    weights = jnp.where(inside, rows.weights_of(site.level), 0)
    x = jnp.where(inside, x, 0)
    _, spread = _about(x, weights[None])
    spread = jnp.where(spread > 0, spread, 1)[0]
    heights, dense = _heights(program, site, params, rows)
    dense &= weights > 0
    heights = jnp.where(dense, heights + jnp.where(inside, log_slope.sum(0), 0), -jnp.inf)
    steep = jnp.exp(-heights.max(1) / x.shape[0] - jnp.log(spread).mean()) / np.sqrt(2 * np.pi)
    own, apart = _about(x, weights * (dense & (responsibilities >= _OWN)))
    narrow = jnp.where(own > 0, (apart / spread).min(1), jnp.inf)
    # Steepness says which scales are shared.
    steep = _alone(steep)
    return jnp.where(steep < _STEEP, narrow, steep)


def _heights(
    program: Program, site: Site, params: Params, rows: Rows
) -> tuple[jax.Array, jax.Array]:
    """(k, n) the log densities of rows, and where they are densities.

    They are not where the next numbers have another one: probabilities, such as those of censored
    rows or of zeros in excess. What is missing has the density 1.
    """
    data = site.data
    assert data is not None
    level = program.structure.level_of(data)

    def one(component: jax.Array) -> jax.Array:
        own = program.run(params, rows.arrays, component, level=site.level)[site.name]
        value = jnp.asarray(own["value"], layout.float_type())
        near = 8 * jnp.finfo(value.dtype).eps * jnp.where(value == 0, 1, jnp.abs(value))

        def nudged(side: jax.Array) -> jax.Array:
            return layout.row_log_prob(own | {"value": value + side * near}, level, data)

        return jax.vmap(nudged)(jnp.arange(-1, 2).astype(value.dtype))

    below, here, above = jnp.moveaxis(
        jax.vmap(one)(jnp.arange(program.structure.num_components(site.level))), 1, 0
    )
    gap = jnp.maximum(jnp.abs(here - below), jnp.abs(here - above))
    return here, (gap < _CONTINUOUS) & (here != 0)


def _about(x: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sums of the weights (k, n), and root mean squares (k, m) of columns (m, n) about means."""
    total = weights.sum(-1)
    safe = jnp.where(total > 0, total, 1)[:, None]
    centre = weights @ x.T / safe
    square = (weights[:, None] * (x - centre[..., None]) ** 2).sum(-1) / safe
    return total, jnp.sqrt(square)


def _on_the_line(support: constraints.Constraint, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Columns (m, n) without bounds, and the logarithm of dx by each."""
    if support in (constraints.positive, constraints.nonnegative):
        return jnp.log(x), jnp.log(x)
    if support in (constraints.unit_interval, constraints.open_interval(0.0, 1.0)):
        return jnp.log(x) - jnp.log1p(-x), jnp.log(x) + jnp.log1p(-x)
    return x, jnp.zeros_like(x)


def _observed(
    program: Program, site: Site, params: Params, rows: Rows
) -> tuple[jax.Array, jax.Array, constraints.Constraint]:
    """The observations (c, event..., n) of a site, (m, n) which are there, where they may lie."""
    data = site.data
    assert data is not None
    level = program.structure.level_of(data)
    found = program.run(params, rows.arrays, 0, level=site.level)[site.name]
    values, support = layout.site_values(found, level, data), layout.family_of(found).support
    if not data.holes:
        return values, jnp.ones((1, values.shape[-1]), bool), support
    seen = jnp.broadcast_to(layout.site_observed(found, level, data), values.shape)
    # Something in the place of what is missing, which never counts.
    return jnp.where(seen, values, 0.5), seen.reshape(-1, seen.shape[-1]), support
