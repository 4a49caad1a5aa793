"""The latent classes of a model: which sites they are, and the rows that each has a value for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ..calls.call import Call
from ..machine.arrays import array as as_jax
from . import replay
from .provenance import dependencies

# Of the classes of one row.
_MOST_COMBINATIONS = 1 << 14


@dataclass(frozen=True)
class Latent:
    """A latent class: ``prior`` is the site that scores it, ``labels`` the one that observes it.

    ``row_dims`` are the batch dimensions (negative) of its plates, ``rows`` their sizes. ``level``
    is 0 for the classes of the independent units, ``depends`` are the names that its prior needs,
    ``rowwise`` says that its prior may differ from row to row.
    """

    name: str
    prior: str
    labels: str | None
    partly: bool
    distribution: type
    num_components: int
    row_dims: tuple[int, ...]
    rows: tuple[int, ...]
    batch_rank: int
    level: int = 0
    depends: frozenset[str] = frozenset()
    rowwise: bool = False

    @property
    def num_rows(self) -> int:
        """The number of values of z."""
        return math.prod(self.rows)

    def value(self, component: Any, pointwise: bool) -> jax.Array:
        """The value that stands for ``component``: one that broadcasts, or one for every row."""
        shape = [1] * self.batch_rank
        if not pointwise:
            for dim, size in zip(self.row_dims, self.rows, strict=True):
                shape[dim] = size
        if isinstance(component, int):
            return as_jax(np.broadcast_to(component, tuple(shape)))
        return jnp.broadcast_to(jnp.asarray(component), tuple(shape))


@dataclass(frozen=True)
class Level:
    """Rows that are scored together, and the unit that each belongs to.

    Level 0 has the units, which are independent. The rows of another level each belong to one of
    them (``owner``): because their plate lies within the units' ("plates"), or because the model
    indexes the units' class by row ("index"). ``num_classes`` counts the classes of its own rows.
    """

    row_dims: tuple[int, ...]
    rows: tuple[int, ...]
    owner: str = ""
    num_classes: int = 1

    @property
    def num_rows(self) -> int:
        """How many rows the level has."""
        return math.prod(self.rows)

    def owners(self, units: Level) -> np.ndarray:
        """(n,) the unit of each row, where the plates tell."""
        axes = [self.row_dims.index(dim) for dim in units.row_dims]
        places = np.indices(self.rows).reshape(len(self.rows), -1)
        if not axes:
            return np.zeros(self.num_rows, int)
        return np.ravel_multi_index([places[axis] for axis in axes], units.rows)


def arrange(latents: list[Latent]) -> tuple[tuple[Latent, ...], list[Level]]:
    """The latents by level, units first, and the levels.

    Raises:
        ValueError: classes of classes of classes.
    """
    latents = sorted(latents, key=lambda z: z.num_rows)
    plates = list(dict.fromkeys((z.row_dims, z.rows) for z in latents))
    levels = []
    for number, (dims, rows) in enumerate(plates):
        own = [z for z in latents if (z.row_dims, z.rows) == (dims, rows)]
        inside = set(zip(*plates[0], strict=True)) <= set(zip(dims, rows, strict=True))
        owner = "" if number == 0 else "plates" if inside else "index"
        levels.append(Level(dims, rows, owner, math.prod(z.num_components for z in own)))
    _refuse_many(latents, levels)
    numbered = [replace(z, level=plates.index((z.row_dims, z.rows))) for z in latents]
    return tuple(sorted(numbered, key=lambda z: z.level)), levels


def _refuse_many(latents: list[Latent], levels: list[Level]) -> None:
    """All combinations of the classes of a row are summed over: there is a limit to that."""
    for level in levels:
        if level.num_classes > _MOST_COMBINATIONS:
            own = [z.name for z in latents if (z.row_dims, z.rows) == (level.row_dims, level.rows)]
            raise ValueError(
                f"the {len(own)} latent classes {own[0]!r}, {own[1]!r}, ... of the same rows have "
                f"{level.num_classes} combinations, more than EM can sum over "
                f"({_MOST_COMBINATIONS}). If they are one class for each of many rows, make them "
                "one site in a plate; chains of classes over time are not read"
            )


def unwrap(fn: dist.Distribution) -> tuple[dist.Distribution, int, Any]:
    """The distribution under plates, ``to_event`` and masks; its cells' rank; a mask on it.

    The mask is True where there is none, False where it takes everything out.
    """
    cells, masked = 0, True
    while True:
        if isinstance(fn, dist.Independent):
            cells += fn.reinterpreted_batch_ndims
        elif isinstance(fn, dist.MaskedDistribution):
            masked = fn._mask if masked is True or fn._mask is False else masked
        elif not isinstance(fn, dist.ExpandedDistribution):
            return fn, cells, masked
        fn = fn.base_dist


def masks(fn: dist.Distribution) -> list[Any]:
    """The masks around a distribution that are arrays."""
    found = []
    while isinstance(fn, (dist.Independent, dist.MaskedDistribution, dist.ExpandedDistribution)):
        if isinstance(fn, dist.MaskedDistribution) and not isinstance(fn._mask, bool):
            found.append(fn._mask)
        fn = fn.base_dist
    return found


def plain_name(distribution: type) -> str:
    """A distribution's name without NumPyro's suffix for its parametrisation."""
    return distribution.__name__.removesuffix("Probs").removesuffix("Logits")


def find_latents(model: Callable, call: Call, sites: dict) -> tuple[list[Latent], set[str]]:
    """The latent classes, and the names of the sites that they are made of."""
    samples = {n: s for n, s in sites.items() if s["type"] == "sample"}
    discrete = [n for n, s in samples.items() if replay.is_finite(s["fn"])]
    hidden = [n for n in discrete if not samples[n]["is_observed"]]
    latents, parts = [], set()
    for name in hidden:
        base = _masked_pair(name, sites)
        if base is None:
            latents.append(_latent(name, samples[name], None, partly=False))
            parts.add(name)
        else:
            latents.append(_latent(base, samples[name], f"{base}_observed", partly=True))
            parts.update({name, f"{base}_observed"})
    if hidden:
        return latents, parts
    labelled = _labelled(model, call, sites, discrete)
    if labelled is not None:
        return [_latent(labelled, samples[labelled], labelled, partly=False)], {labelled}
    countable = [n for n in samples if samples[n]["fn"].is_discrete and n not in discrete]
    countable = [n for n in countable if not samples[n]["is_observed"]]
    if countable and unwrap(samples[countable[0]]["fn"])[0].has_enumerate_support:
        raise ValueError(
            f"the latent site {countable[0]!r} makes its rows one event (to_event); EM reads rows "
            "that are independent: put the site in a numpyro.plate instead, or leave to_event out"
        )
    if countable:
        raise ValueError(
            f"the discrete latent site {countable[0]!r} has no finite support; use a "
            "Categorical, Bernoulli or Binomial latent class"
        )
    raise ValueError(
        "the model has no discrete latent site: declare the class as "
        "z = numpyro.sample('z', dist.Categorical(weights)) inside the plate of the rows, and "
        "index the parameters with the z that it returns (obs=labels if it is known)"
    )


def _masked_pair(name: str, sites: dict) -> str | None:
    """The site that ``obs_mask`` split into ``name`` and its observed half."""
    base = name.removesuffix("_unobserved")
    pair = f"{base}_observed"
    split = base != name and pair in sites and sites.get(base, {}).get("type") == "deterministic"
    return base if split else None


def _labelled(model: Callable, call: Call, sites: dict, discrete: list[str]) -> str | None:
    """The observed finite site that other sites depend on, if there is one."""
    observed = [n for n in discrete if sites[n]["cond_indep_stack"] or sites[n]["fn"].batch_shape]
    if not observed:
        return None

    def densities(latents: dict[str, Any], arrays: tuple) -> dict[str, Any]:
        given = call.rebuild(arrays)
        trace, _ = replay.run(model, given, forced=latents, default=replay.prototype)
        return {n: log_prob(s) for n, s in trace.items() if s["type"] == "sample"}

    values = {n: jnp.zeros(sites[n]["fn"].batch_shape, int) for n in observed}
    reached = dependencies(densities, (values, call.arrays), {id(v): n for n, v in values.items()})
    dependents = {
        n: [other for other, found in reached.outputs.items() if n in found and other != n]
        for n in observed
    }
    upstream = [n for n in observed if dependents[n]]
    return max(upstream, key=lambda n: len(dependents[n])) if upstream else None


def _latent(name: str, prior: dict, labels: str | None, *, partly: bool) -> Latent:
    fn = prior["fn"]
    shape = fn.batch_shape
    dims = tuple(d for d in range(-len(shape), 0) if shape[d] != 1)
    if not dims:
        dims = tuple(f.dim for f in prior["cond_indep_stack"])
    base, _, _ = unwrap(fn)
    support = jax.eval_shape(lambda: base.enumerate_support(expand=False))
    if 0 in shape:
        raise ValueError(f"the latent site {name!r} has no rows: its shape is {shape}")
    if support.shape[0] == 0:
        raise ValueError(f"the latent site {name!r} has no components; at least one is needed")
    return Latent(
        name=name,
        prior=prior["name"],
        labels=labels,
        partly=partly,
        distribution=type(base),
        num_components=support.shape[0],
        row_dims=dims,
        rows=tuple(shape[d] for d in dims),
        batch_rank=len(shape),
    )


def log_prob(site: dict) -> Any:
    """The log density of a site at its value."""
    return site["fn"].log_prob(site["value"])
