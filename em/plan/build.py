"""A program is built of a reading: families, places of parameters, blocks and their rungs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from numpyro.distributions import constraints

from ..calls.call import Call
from ..families import Family, RowFamily, Ties, find, incomplete
from ..families.linear_regression import LinearRegression
from ..machine.jit import once_jit
from ..read import layout, replay
from ..read.examples import example as example_of
from ..read.latents import Latent, plain_name
from ..read.reader import Reader
from ..read.reading import Reading
from ..read.structure import Auxiliary, Data
from . import conjugate, ties
from .blocks import Block, Pool, RowSite, Rung, Site, StatisticalSite, StratifiedSite, Task
from .ladder import choose, task_of
from .pooling import find_pool
from .program import Params, Parts, Program
from .regression import find_linear
from .separable import is_separable
from .site_arguments import arguments, components, dependence, family_of
from .strata import find_strata

Direct = Callable[[Family, Mapping], dict[str, Ties] | None]


def build(reading: Reading, call: Call, rungs: Sequence[Rung], posterior: bool = False) -> Program:
    """What EM computes with: each step adds to a program that is whole for what it has.

    ``rungs`` is the ladder that the M-step has, ``posterior`` says that priors are added to the
    objective.
    """
    program = Program(reading, _parts(Reader(reading), call), posterior)
    blocks, pools = _blocks(program, call, rungs)
    program = program.having(blocks=blocks, pools=pools)
    separable = (
        replace(b, separable=is_separable(program, b, call)) if b.numeric else b for b in blocks
    )
    program = program.having(blocks=tuple(separable))
    if posterior:
        program = program.having(blocks=conjugate.with_priors(program, call, rungs))
    return program


def holds(program: Program, call: Call) -> bool:
    """Whether what was found by trying, on other data, is so of these: see `_parts`.

    Where an exposure was the same in all rows, say, or a covariate 0.
    """
    if any(isinstance(a, jax.core.Tracer) for a in call.arrays):
        return True
    data = {d.name: d for d in program.structure.data}
    linear = all(own.holds(program, call, data[name]) for name, own in program.linear.items())
    tried = not program.structure.pointwise or program.structure.chain is not None
    return linear and not (tried and _same_in_every_row(program, call) != program.whole)


def _parts(reader: Reader, call: Call) -> Parts:
    structure = reader.structure
    whole, (affine, reached) = _same_in_every_row(reader, call), dependence(reader, call)
    alike = {key for key, names in reached.items() if structure.latent.name not in names}
    found = {
        d.name: find_linear(reader, call, d, _varying(d, whole), reached[d.name, "loc"])
        for d in structure.data
        if affine.get((d.name, "loc"))
    }
    linear = {n: own for n, own in found.items() if own is not None}

    def given(params: Params, arrays: tuple) -> dict:
        return arguments(reader, params, arrays, whole, linear)

    once = once_jit(reader, given)
    probed, places = ties.probe(
        lambda params: once(params, call.arrays), structure.free, affine, alike
    )
    direct = {
        site: {n: entry for n, entry in args.items() if entry is not None}
        for site, args in probed.items()
        if None not in args.values()
    }
    bounds = _bounds(reader, call)
    tied = partial(ties.direct, layout=places, bounds=bounds)
    plain = tuple(_site(d, probed, linear, tied) for d in structure.data)
    found_by_row = partial(_by_stratum, reader, call, places, whole, affine, tied)
    return Parts(
        whole=whole,
        linear=linear,
        layout=places,
        direct=direct,
        functions=bool(set(probed) - set(direct)),
        bounds=bounds,
        sites=tuple(found_by_row(site) if type(site) is Site else site for site in plain),
        priors=tuple(_prior(z, probed, tied) for z in structure.latents),
        varies=_varies_by_row(reader, call),
    )


def _same_in_every_row(reader: Reader, call: Call) -> dict[str, frozenset[str]]:
    """{site: the arguments that vary by no row}.

    With z at its natural shape every argument has rows; whether they differ is then tried.
    """

    def of_arguments() -> Any:
        return jax.eval_shape(partial(components, reader), reader.probe_values, call.arrays)

    shapes = reader.compiled("shapes of arguments", of_arguments)
    same = {site: {n for n, v in args.items() if v.shape[1] == 1} for site, args in shapes.items()}
    # So it is where the states that a chain begins with are an array: one for each sequence.
    varying = any(v.shape[1] > 1 for args in shapes.values() for v in args.values())
    if not reader.structure.pointwise or (reader.structure.chain is not None and varying):

        def tried(arrays: tuple) -> Any:
            found = components(reader, example_of(reader, arrays, 6), arrays)
            return jax.tree.map(lambda v: (v == v[:, :1]).all(), found)

        equal = reader.compiled("same in every row", lambda: once_jit(reader, tried))(call.arrays)
        same = {s: {n for n, flag in args.items() if bool(flag)} for s, args in equal.items()}
    return {site: frozenset(names) for site, names in same.items()}


def _varying(data: Data, whole: Mapping[str, frozenset[str]]) -> set[str]:
    """The arguments of a site's family that vary by row."""
    family = family_of(data)
    if family is None:
        return set()
    return set(family.domains) - whole[data.name]


def _varies_by_row(reader: Reader, call: Call) -> bool:
    """Whether an argument of some data site, such as a mean or a number of trials, does."""
    found = []

    def look(arrays: tuple) -> None:
        sites, values = reader.structure.data, reader.probe_values
        traces = {n: reader.run(values, arrays, 0, level=n) for n in {d.level for d in sites}}
        for data in sites:
            fn = layout.family_of(traces[data.level][data.name])
            level = reader.structure.levels[data.level]
            for name, constraint in fn.arg_constraints.items():
                value = getattr(fn, name, None)
                if value is not None:
                    unknown = isinstance(constraint, type(constraints.dependent))
                    event_dim = fn.event_dim if unknown else constraint.event_dim
                    rows = layout.argument(value, level, data, event_dim).shape[0]
                    found.append(rows > 1)

    jax.eval_shape(look, call.arrays)
    return any(found)


def _bounds(reader: Reader, call: Call) -> dict[str, tuple[float, float]]:
    intervals = [p.name for p in reader.structure.free if p.constraint == "interval"]
    if not intervals:
        return {}

    def evaluate(params: Params) -> dict[str, tuple[Any, Any]]:
        trace = reader.run(params, call.arrays, 0)
        found: dict[str, tuple[Any, Any]] = {}
        for name in intervals:
            support = replay.site_constraint(trace[name])
            while hasattr(support, "base_constraint"):
                support = support.base_constraint
            found[name] = (jnp.asarray(support.lower_bound), jnp.asarray(support.upper_bound))
        return found

    bounds = once_jit(reader, evaluate)(reader.probe_values)
    return {
        n: (float(jnp.min(low)), float(jnp.max(high)))
        for n, (low, high) in bounds.items()
        if low.size == high.size == 1
    }


def _site(data: Data, probed: Mapping, linear: Mapping, direct: Direct) -> Site:
    family = family_of(data)
    if family is not None and data.partial:
        family = incomplete(data.distribution)
    if data.name in linear:
        family = LinearRegression()
    site = Site(data.name, plain_name(data.distribution), data.depends, data, None)
    return _with_family(site, family, probed, direct)


def _by_stratum(
    reader: Reader,
    call: Call,
    places: ties.Layout,
    whole: Mapping[str, frozenset[str]],
    affine: Mapping[tuple[str, str], bool],
    direct: Direct,
    site: Site,
) -> Site:
    """A site whose arguments vary by row as one of strata, if it is one."""
    assert site.data is not None
    family, varying = family_of(site.data), _varying(site.data, whole)
    if family is None or not all(affine.get((site.name, n), True) for n in family.domains):
        return site

    def evaluate(params: Mapping[str, jax.Array]) -> Any:
        return once(params, call.arrays)[site.name]

    once = once_jit(reader, lambda params, arrays: components(reader, params, arrays))
    strata = find_strata(family, site.data, places, evaluate, varying)
    tied = None if strata is None else direct(family, strata.entries)
    if strata is None or tied is None or not family.solves(tied):
        return site
    what = site.name, site.distribution, site.depends, site.data, site.latent
    return StratifiedSite(*what, family, strata, tied)


def _prior(latent: Latent, probed: Mapping, direct: Direct) -> Site:
    site = Site(latent.name, plain_name(latent.distribution), latent.depends, None, latent)
    return _with_family(site, find(latent.distribution), probed, direct)


def _with_family(site: Site, family: Family | None, probed: Mapping, direct: Direct) -> Site:
    if family is None or site.name not in probed:
        return site
    entries = probed[site.name]
    found = direct(family, entries)
    what = site.name, site.distribution, site.depends, site.data, site.latent
    if not isinstance(family, RowFamily):
        return StatisticalSite(*what, family, entries, found)
    if found is None or not family.solves(found):
        return site
    return RowSite(*what, family, entries, found)


def _blocks(
    program: Program, call: Call, rungs: Sequence[Rung]
) -> tuple[tuple[Block, ...], dict[str, tuple[Pool, ...]]]:
    free = {p.name for p in program.structure.free}
    beside = program.structure.auxiliary
    groups: list[set[str]] = []
    terms: tuple[Site | Auxiliary, ...] = (*program.priors, *program.sites, *beside)
    for term in terms:
        joined = set(term.depends & free)
        if not joined:
            continue
        touching = [g for g in groups if g & joined]
        groups = [g for g in groups if not g & joined]
        groups.append(joined.union(*touching))
    order = [p.name for p in program.structure.free]
    pools: dict[str, tuple[Pool, ...]] = {}
    blocks = []
    for group in groups:
        sites = [s for s in (*program.priors, *program.sites) if s.depends & group]
        auxiliary = tuple(a.name for a in beside if a.depends & group)
        names = tuple(n for n in order if n in group)
        task = task_of(program, sites, False)
        pooled = _pooled(program, task, auxiliary, call) if auxiliary else None
        if pooled is not None:
            pools[sites[0].name], auxiliary = pooled, ()
        elif auxiliary:
            task = task_of(program, sites, True)
        own = tuple(s.name for s in sites)
        blocks.append(Block(names, own, choose(rungs, task), auxiliary=auxiliary))
    return tuple(sorted(blocks, key=lambda b: order.index(b.parameters[0]))), pools


def _pooled(
    program: Program, task: Task, auxiliary: tuple[str, ...], call: Call
) -> tuple[Pool, ...] | None:
    """How what is beside the rows pools with the one site that a family estimates, if all does."""
    if not isinstance(task.own, StatisticalSite):
        return None
    pools = [find_pool(program, name, task.own, call) for name in auxiliary]
    found = tuple(pool for pool in pools if pool is not None)
    return found if len(found) == len(pools) else None
