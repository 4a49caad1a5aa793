"""The priors of ``objective="posterior"``: which a closed M-step takes in as statistics.

A prior is conjugate where its log density is a sum of the same functions of the argument as the
likelihood's; what it adds to the sufficient statistics are its coefficients (Diaconis & Ylvisaker
1979, Annals of Statistics 7:269). Here both sides are said once: `TERMS` gives the coefficients of
a NumPyro distribution, and a family's ``conjugate`` the terms that its arguments take in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ... import distributions
from ..calls.call import Call
from ..families import Ties
from ..read.inspection import unreached
from ..read.latents import log_prob, unwrap
from ..read.provenance import dependencies
from .blocks import Block, FamilySite, RowSite, Rung, StatisticalSite, Task
from .ladder import choose, task_of

if TYPE_CHECKING:
    from .program import Params, Program

# {type: {term: its coefficient in the log density}}, entry by entry of the value v: "log" v,
# "log1m" 1 - v in the logarithm, "linear" v, "square" v^2; of a matrix "log_det" and the trace with
# its "inverse". Types without terms are flat.
_Terms = dict[str, Callable[[Any], jax.Array]]
TERMS: dict[type, _Terms] = {
    dist.Dirichlet: {"log": lambda fn: fn.concentration - 1},
    dist.Beta: {
        "log": lambda fn: fn.concentration1 - 1,
        "log1m": lambda fn: fn.concentration0 - 1,
    },
    dist.Gamma: {"log": lambda fn: fn.concentration - 1, "linear": lambda fn: -fn.rate},
    dist.Chi2: {"log": lambda fn: fn.concentration - 1, "linear": lambda fn: -fn.rate},
    dist.Exponential: {"linear": lambda fn: -fn.rate},
    dist.Normal: {
        "linear": lambda fn: fn.loc / fn.scale**2,
        "square": lambda fn: -1 / (2 * fn.scale**2),
    },
    dist.InverseWishart: {
        "log_det": lambda fn: _by_entry(-(fn.concentration + fn.event_shape[-1] + 1) / 2),
        "inverse": lambda fn: -fn.scale_matrix / 2,
    },
    dist.Uniform: {},
    dist.ImproperUniform: {},
    distributions.HaarRotation: {},
}


def _by_entry(of_matrix: jax.Array) -> jax.Array:
    return jnp.asarray(of_matrix)[..., None, None]


class Prior(NamedTuple):
    """What is known of a site's prior: its terms (None: not all of `TERMS`), what it depends on."""

    terms: tuple[str, ...] | None
    depends: frozenset[str]


def read(program: Program, call: Call) -> dict[str, Prior]:
    """{parameter: its prior}, of the free and of the fixed ones."""
    values = program.probe_values
    terms: dict[str, tuple[str, ...] | None] = {}

    def densities(values: Params, arrays: tuple) -> dict[str, jax.Array]:
        trace = program.run(values, arrays, 0)
        sites = [trace[p.name] for p in program.structure.parameters]
        terms.update({site["name"]: _terms(site) for site in sites})
        return {s["name"]: log_prob(s) for s in sites if s["type"] == "sample"}

    labels = {id(value): name for name, value in values.items()}
    found = dependencies(densities, (values, call.arrays), labels).outputs
    return {n: Prior(t, found.get(n, frozenset()) - {n}) for n, t in terms.items()}


def _terms(site: dict) -> tuple[str, ...] | None:
    if site["type"] == "param":
        return ()
    fn, _, mask = unwrap(site["fn"])
    return tuple(TERMS[type(fn)]) if type(fn) in TERMS and mask is True else None


def with_priors(program: Program, call: Call, rungs: Sequence[Rung]) -> tuple[Block, ...]:
    """The blocks of a program whose objective has the priors in it, and their rungs.

    Flat priors change nothing. Parameters that only priors reach (hyperparameters) have blocks of
    their own: those that one prior brings together share one.

    Raises:
        ValueError: a parameter that reaches the data through no prior either.
    """
    priors = read(program, call)
    blocks = [_with_prior(program, block, priors, rungs) for block in program.blocks]
    reached = {n for block in program.blocks for n in block.parameters}
    hyper = [p.name for p in program.structure.free if p.name not in reached]
    reached |= {p.name for p in program.structure.fixed}
    groups: list[set[str]] = []
    waiting = sorted(reached)
    while waiting:
        found = set(priors[waiting.pop()].depends) & set(hyper)
        waiting += sorted(found - reached)
        reached |= found
        touching = [g for g in groups if g & found]
        groups = [g for g in groups if not g & found]
        groups += [found.union(*touching)] if found else []
    for name in hyper:
        if name not in reached:
            raise unreached(name)
    for group in sorted(groups, key=lambda g: min(map(hyper.index, g))):
        names = tuple(n for n in hyper if n in group)
        alone = Task((), None, rowwise=False, auxiliary=False, prior=True)
        blocks.append(Block(names, (), choose(rungs, alone), prior=True))
    return tuple(blocks)


def _with_prior(
    program: Program, block: Block, priors: dict[str, Prior], rungs: Sequence[Rung]
) -> Block:
    own = [priors[n] for n in block.parameters]
    entering = any(set(block.parameters) & prior.depends for prior in priors.values())
    if not entering and all(p.terms == () and not p.depends for p in own):
        return block
    sites = [s for s in (*program.priors, *program.sites) if s.name in block.sites]
    task = task_of(program, sites, bool(block.auxiliary))
    absorbed = False
    if isinstance(task.own, RowSite) and not task.own.family.smooth:
        raise _cornered(task.own)
    if isinstance(task.own, StatisticalSite) and block.rung.closed and not entering:
        absorbed = _absorbs(program, block, task.own, priors)
    rung = choose(rungs, replace(task, prior=True, absorbed=absorbed))
    return replace(block, rung=rung, separable=False, prior=True)


def _cornered(site: RowSite) -> ValueError:
    return ValueError(
        f"the density of site {site.name!r} ({site.distribution}) has corners in its parameters, "
        "and its M-step takes no prior in: use objective='likelihood', flat priors, or another "
        "distribution (StudentT has heavy tails too)"
    )


def _absorbs(program: Program, block: Block, site: FamilySite, priors: dict[str, Prior]) -> bool:
    """Whether the family of a block's site takes in all terms of the priors of its parameters."""
    starts, used = program.layout.starts, np.zeros(int(program.layout.starts[-1]), bool)
    for name, entry in site.entries.items():
        assert entry is not None
        index = entry.index[entry.index >= 0]
        used[index] = True
        for parameter in {program.layout.owner(int(place))[0].name for place in np.unique(index)}:
            terms = priors[parameter].terms
            if terms is None or not set(terms) <= set(site.family.conjugate.get(name, ())):
                return False
    ranges = zip(program.layout.parameters, starts, starts[1:], strict=False)
    return all(used[a:b].all() for p, a, b in ranges if p.name in block.parameters)


def coefficients(
    program: Program, site: FamilySite, params: Params, arrays: tuple
) -> dict[str, dict[str, jax.Array]]:
    """{argument: {term: (k, c, event...)}} of the priors of a site's arguments.

    A value that several cells share has one prior: the first of them has its coefficients.
    """
    assert site.ties is not None
    trace = program.run(params, arrays, 0)
    starts = program.layout.starts
    out: dict[str, dict[str, jax.Array]] = {}
    for name, entry in site.entries.items():
        assert entry is not None
        first = _first(site.ties[name])
        first = first.reshape(first.shape + (1,) * (entry.index.ndim - 2))
        zeros = jnp.zeros(entry.index.shape)
        found = dict.fromkeys(site.family.conjugate.get(name, ()), zeros)
        for p, a, b in zip(program.layout.parameters, starts, starts[1:], strict=False):
            inside = (entry.index >= a) & (entry.index < b)
            message = trace[p.name]
            if not inside.any() or message["type"] == "param":
                continue
            fn = unwrap(message["fn"])[0]
            scale = jnp.asarray(1.0 if message["scale"] is None else message["scale"])
            scale = scale.reshape(scale.shape + (1,) * message["fn"].event_dim)
            place = np.where(inside, entry.index - a, 0)
            for term, coefficient in TERMS[type(fn)].items():
                values = jnp.broadcast_to(coefficient(fn) * scale, p.shape).ravel()[place]
                found[term] = found[term] + jnp.where(inside & first, values, 0)
        if found:
            out[name] = found
    return out


def _first(tie: Ties) -> np.ndarray:
    """(k, c) the first cell of every group of cells that share a value."""
    first = np.zeros(tie.groups.size, bool)
    first[np.unique(tie.groups, return_index=True)[1]] = True
    return first.reshape(tie.groups.shape)
