"""The estimate of the one site that a family knows how to estimate, as parameters of a block."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ...families import Args, Statistics, Ties
from ...plan.blocks import FamilySite, RowSite, Site, StatisticalSite, StratifiedSite
from ...plan.program import Params
from ...read import layout
from ...rows import point
from ..expectation import site_statistics, with_pooled
from ..work import Work

# A family that goes up by one conditional maximisation a step has so many in the first M-step.
FIRST_ROUNDS = 10


def estimated(work: Work) -> Params:
    """The family's estimate from the statistics of a site."""
    site = statistical_site(work)
    args = point.arguments(work.program, work.params, work.rows, (site.name,))[site.name]
    statistics, reference = statistics_of(work, site, args)
    estimates = site.family.estimate(statistics, args, site.ties or {}, reference)
    return as_parameters(work, site, estimates)


def improved(work: Work) -> Params:
    """The arguments that the family of a site improves on its rows."""
    (site,) = (s for s in _sites(work) if isinstance(s, RowSite))
    rows = work.rows
    weights = work.expected.responsibilities[site.level] * rows.weights_of(site.level)
    u, known, seen, reference = rows.of(site.name, site.level)
    weights = weights[:, None] if seen is None else weights[:, None] * seen

    def once(_: jax.Array, args: Args) -> Args:
        return site.family.improve(u, weights, known, args, site.ties, reference)

    args = point.arguments(work.program, work.params, rows, (site.name,))[site.name]
    args = jax.lax.fori_loop(0, work.rounds(FIRST_ROUNDS, 1), once, dict(args))
    return as_parameters(work, site, args)


def estimated_by_stratum(work: Work) -> Params:
    """The family's estimate from the statistics of each stratum of a site's rows."""
    (site,) = (s for s in _sites(work) if isinstance(s, StratifiedSite))
    program, rows, family, data = work.program, work.rows, site.family, site.data
    assert data is not None
    level = program.structure.level_of(data)
    message = program.run(work.params, rows.arrays, 0, level=data.level)[data.name]
    values = layout.site_values(message, level, data)
    own = rows.weights_of(site.level)
    if data.holes:
        own = own * layout.site_observed(message, level, data).reshape(-1, own.size).all(0)
        values = jnp.where(own > 0, values, jnp.asarray(1, values.dtype))
    args = {n: point.taken(program.layout, work.params, e.index) for n, e in site.entries.items()}
    alike = {
        n: Ties(np.zeros((len(v), 1), int), np.zeros((len(v), 1), bool)) for n, v in args.items()
    }
    reference = family.reference(values, own, {n: v[:, :1] for n, v in args.items()}, alike)
    features = family.features(family.coordinates(values, reference), {}, reference)[0]
    weights = work.expected.responsibilities[site.level] * own
    terms = jnp.concatenate([weights[:, None], weights[:, None] * features], 1)  # (k, 1 + q, n)
    stratum = site.strata.of(program, program.layout, data, rows.arrays)
    number = len(site.strata.values)
    added = jnp.zeros((*terms.shape[:2], number), terms.dtype).at[..., stratum].add(terms)
    sums = jnp.moveaxis(added, 1, -1)  # (k, strata, 1 + q)
    statistics = Statistics(sums[..., 0], sums[..., 1:])
    estimates = family.estimate(statistics, args, site.ties, reference)
    return as_parameters(work, site, estimates)


def own_estimate(work: Work) -> Params:
    """`improved` where the family works on the rows, else `estimated`."""
    on_rows = any(isinstance(s, RowSite) for s in _sites(work))
    return improved(work) if on_rows else estimated(work)


def statistical_site(work: Work) -> StatisticalSite:
    """The one site of a block, whose family estimates it from its statistics."""
    (site,) = (s for s in _sites(work) if isinstance(s, StatisticalSite))
    return site


def _sites(work: Work) -> list[Site]:
    program = work.program
    return [s for s in (*program.priors, *program.sites) if s.name in work.block.sites]


def as_parameters(work: Work, site: FamilySite | StratifiedSite, args: Args) -> Params:
    """The parameters of a block from the arguments that they are."""
    flat = jnp.concatenate([args[name].ravel() for name in args])
    index = np.concatenate([e.index.ravel() for e in map(site.entries.get, args) if e is not None])
    out = {}
    places = work.program.layout
    for parameter, start in zip(places.parameters, places.starts, strict=False):
        if parameter.name not in work.block.parameters:
            continue
        size = int(np.prod(parameter.shape))
        position = np.full(size, -1)
        inside = (index >= start) & (index < start + size)
        position[index[inside] - start] = np.nonzero(inside)[0]
        if np.array_equal(position, np.arange(position[0], position[0] + size)):
            values = jax.lax.slice(flat, (int(position[0]),), (int(position[0]) + size,))
        else:
            values = flat[position]
        dtype = work.params[parameter.name].dtype
        out[parameter.name] = values.reshape(parameter.shape).astype(dtype)
    return out


def statistics_of(work: Work, site: StatisticalSite, args: Args) -> tuple[Statistics, Args]:
    """Statistics and reference of a data site, or of a prior, whose datum is the class itself."""
    program, _, expected, _, rows, _ = work
    if site.latent is None:
        found = site_statistics(program, expected, rows, (site.name,))
        return found[site.name], rows.reference[site.name]
    counts = expected.prior_counts(site.level)
    values = program.structure.prior_classes(site.level)[site.name].astype(counts.dtype)[None]
    known = {n: jnp.full_like(values, site.latent.num_components - 1) for n in site.family.known}
    reference = site.family.reference(values, counts, args, site.ties or {})
    u = site.family.coordinates(values, reference)
    features = site.family.features(u, known, reference)  # (1, q, k): component by component
    sums = jnp.moveaxis(features, -1, 0) * counts[:, None, None]
    return with_pooled(Statistics(counts[:, None], sums), site.name, rows), reference
