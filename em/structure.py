"""Read a NumPyro model abstractly: its latent class, its plates, its parameters, its data.

Nothing is computed here. One trace under ``jax.eval_shape`` lists the sites; one jaxpr of the
model with z replaced says which parameters, and whether z, each site's likelihood depends on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.distributions import biject_to, constraints

from . import replay
from .arguments import Call, arrays_within, has_gaps
from .families import find
from .provenance import Dependencies, dependencies


@dataclass(frozen=True)
class Parameter:
    """A parameter site: ``size`` counts its unconstrained dimensions."""

    name: str
    shape: tuple[int, ...]
    size: int
    constraint: str
    free: bool


@dataclass(frozen=True)
class Latent:
    """The latent class: ``prior`` is the site that scores it, ``labels`` the one that observes it.

    ``row_dims`` are the batch dimensions (negative) of its plates, ``rows`` their sizes.
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

    @property
    def num_rows(self) -> int:
        """The number of values of z."""
        return math.prod(self.rows)


@dataclass(frozen=True)
class Data:
    """An observed site of the rows. ``distribution`` is the type under wrappers and plates."""

    name: str
    distribution: type
    shape: tuple[int, ...]
    batch_rank: int
    cell_rank: int
    event_rank: int
    discrete: bool
    masked: bool
    gaps: bool  # NaN may stand for a missing entry
    partial: bool  # ... and single entries of an event may be missing
    depends: frozenset[str]
    support_depends: bool

    @property
    def incomplete(self) -> bool:
        """Whether entries may be missing, by a mask or as NaN."""
        return self.masked or self.gaps


@dataclass(frozen=True)
class Structure:
    """What a model declares, as far as abstract evaluation shows it."""

    latent: Latent
    parameters: tuple[Parameter, ...]
    data: tuple[Data, ...]
    prior_depends: frozenset[str]
    prior_rowwise: bool
    pointwise: bool  # z is given as one value that broadcasts over the rows
    certain: bool  # that this is right, and rows depend on no other row's z, is plain to see
    gaps: bool = False  # some array of the call has a NaN

    @property
    def free(self) -> tuple[Parameter, ...]:
        """The parameters to estimate."""
        return tuple(p for p in self.parameters if p.free)

    @property
    def fixed(self) -> tuple[Parameter, ...]:
        """The parameters that are held fixed."""
        return tuple(p for p in self.parameters if not p.free)

    def latent_value(self, component: Any) -> jax.Array:
        """The value that z is given to stand for ``component``."""
        rank, latent = self.latent.batch_rank, self.latent
        shape = [1] * rank
        if not self.pointwise:
            for dim, size in zip(latent.row_dims, latent.rows, strict=True):
                shape[dim] = size
        return jnp.broadcast_to(jnp.asarray(component), tuple(shape))


def unwrap(fn: dist.Distribution) -> tuple[dist.Distribution, int, bool]:
    """The distribution under plates, ``to_event`` and masks; its cells' rank; whether masked."""
    cells, masked = 0, False
    while True:
        if isinstance(fn, dist.Independent):
            cells += fn.reinterpreted_batch_ndims
        elif isinstance(fn, dist.MaskedDistribution):
            masked = masked or fn._mask is not True
        elif not isinstance(fn, dist.ExpandedDistribution):
            return fn, cells, masked
        fn = fn.base_dist


def plain_name(distribution: type) -> str:
    """A distribution's name without NumPyro's suffix for its parametrisation."""
    return distribution.__name__.removesuffix("Probs").removesuffix("Logits")


def is_finite_discrete(fn: dist.Distribution) -> bool:
    """Whether a site can be a latent class: discrete, with a support that can be listed."""
    return bool(fn.is_discrete and fn.has_enumerate_support and not fn.event_shape)


def read(model: Callable, call: Call, to_fit: bool = True) -> Structure:
    """Read ``model(*args, **kwargs)``.

    Raises:
        ValueError: no or several discrete latents, a continuous latent per row, an observation
            that depends on z outside its plate, parameters that no data reach, no rows.
    """
    sites: dict[str, dict] = {}
    preset: set[str] = set()

    def abstract(arrays: tuple) -> None:
        trace, handler = replay.run(model, call.rebuild(arrays), default=replay.prototype)
        sites.update(trace)
        preset.update(handler.preset)

    try:
        jax.eval_shape(abstract, call.arrays)
    except jax.errors.ConcretizationTypeError as error:
        raise ValueError(
            "the model needs the value of an array in Python (an int(...), an if, a shape); pass "
            f"such values as plain numbers, which are static. JAX said: {_first_line(error)}"
        ) from error

    except AssertionError as error:
        if "plate" not in str(error):
            raise
        raise ValueError(
            f"a plate of the model is empty ({_first_line(error)}); at least one row and one "
            "component are needed"
        ) from error
    for site in sites.values():
        subsampled = site["type"] == "plate" and site["args"][1] not in (None, site["args"][0])
        if subsampled and to_fit:
            raise ValueError(
                f"plate {site['name']!r} is subsampled ({site['args'][1]} of {site['args'][0]}); "
                "EM uses all rows at every step: leave subsample_size out"
            )
    latent, skip = _find_latent(model, call, sites)
    return _assemble(model, call, sites, preset, latent, skip, to_fit)


def _find_latent(model: Callable, call: Call, sites: dict) -> tuple[Latent, set[str]]:
    samples = {n: s for n, s in sites.items() if s["type"] == "sample"}
    discrete = [n for n, s in samples.items() if is_finite_discrete(s["fn"])]
    hidden = [n for n in discrete if not samples[n]["is_observed"]]
    partly = [n for n in hidden if _masked_pair(n, sites) is not None]
    if len(hidden) > 1:
        raise ValueError(
            f"several discrete latent sites ({', '.join(map(repr, hidden))}); EM reads models "
            "with one: merge them into one Categorical over their combinations"
        )
    if partly:
        base = str(_masked_pair(partly[0], sites))
        return _latent(base, samples[partly[0]], f"{base}_observed", True), {
            partly[0],
            f"{base}_observed",
        }
    if hidden:
        return _latent(hidden[0], samples[hidden[0]], None, False), {hidden[0]}
    labelled = _labelled(model, call, sites, discrete)
    if labelled is None:
        countable = [
            n
            for n, s in samples.items()
            if s["fn"].is_discrete and not s["is_observed"] and n not in discrete
        ]
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
    return _latent(labelled, samples[labelled], labelled, False), {labelled}


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

    def densities(latents: dict[str, Any]) -> dict[str, Any]:
        trace, _ = replay.run(model, call.rebuild(), forced=latents, default=replay.prototype)
        return {n: _log_prob(s) for n, s in trace.items() if s["type"] == "sample"}

    values = {n: jnp.zeros(sites[n]["fn"].batch_shape, int) for n in observed}
    reached = dependencies(densities, (values,), {id(v): n for n, v in values.items()})
    dependents = {
        n: [other for other, found in reached.outputs.items() if n in found and other != n]
        for n in observed
    }
    upstream = [n for n in observed if dependents[n]]
    return max(upstream, key=lambda n: len(dependents[n])) if upstream else None


def _latent(name: str, prior: dict, labels: str | None, partly: bool) -> Latent:
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


def _assemble(
    model: Callable,
    call: Call,
    sites: dict,
    preset: set[str],
    latent: Latent,
    skip: set[str],
    to_fit: bool,
) -> Structure:
    gaps = call.gaps or any(map(has_gaps, arrays_within(model)))
    parameters = [
        _parameter(site, preset)
        for name, site in sites.items()
        if site["type"] == "param"
        or (site["type"] == "sample" and not site["is_observed"] and name not in skip)
    ]
    rows = set(zip(latent.row_dims, latent.rows, strict=True))
    for name, site in sites.items():
        hidden = site["type"] == "sample" and not site["is_observed"] and name not in skip
        if not hidden or name in preset:
            continue
        frames = {(f.dim, f.size) for f in site["cond_indep_stack"]}
        by_row = frames & rows and _same_plate(site, sites[latent.prior])
        if not sites[latent.prior]["cond_indep_stack"]:
            # Without a plate only the shape can tell; k parameters for k rows are left alone.
            by_row = _has_rows(site, latent) and latent.num_rows > latent.num_components
        if by_row:
            raise ValueError(
                f"site {name!r} is a continuous latent with one value a row (it stands in the "
                "plate of z); EM sums over z only. Move it out of that plate, integrate it out "
                "by hand, or observe it"
            )
    observed = [
        n for n, s in sites.items() if s["type"] == "sample" and s["is_observed"] and n not in skip
    ]
    values = {p.name: jnp.zeros(p.shape) for p in parameters}
    bare = Structure(latent, tuple(parameters), (), frozenset(), False, True, certain=False)
    fn = _Outputs(model, call, observed, latent)
    try:
        deps = fn.trace(values, bare.latent_value(0))
        ok = True
    except (TypeError, ValueError, IndexError):
        deps = fn.trace(values, replace(bare, pointwise=False).latent_value(0))
        ok = False
    data, fixed = [], []
    for name in observed:
        reached = deps.outputs["density", name]
        site = sites[name]
        if latent.name in reached or (
            _has_rows(site, latent) and _same_plate(site, sites[latent.prior])
        ):
            data.append(_data(site, latent, reached, bool(deps.outputs["support", name]), gaps))
        else:
            fixed.append(_parameter(site, preset | {name}))
    if not data:
        raise ValueError(
            f"no observed site depends on the latent class {latent.name!r}: give the data to a "
            "sample site with obs=..., and index its parameters with z"
        )
    prior = deps.outputs["prior", ""]
    likelihood = prior.union(*(d.depends for d in data))
    for p in parameters:
        if to_fit and p.free and p.name not in likelihood:
            raise ValueError(
                f"the likelihood does not reach the parameter {p.name!r}: no observed site "
                "depends on it. Remove it, or hold it fixed with "
                f"numpyro.handlers.condition(model, {{{p.name!r}: value}})"
            )
    return Structure(
        latent=latent,
        parameters=(*parameters, *fixed),
        data=tuple(data),
        prior_depends=prior,
        prior_rowwise=fn.prior_rowwise,
        pointwise=ok,
        certain=ok and not deps.mixing,
        gaps=gaps,
    )


class _Outputs:
    """The densities and supports of a model's observed sites, as a function of z and parameters."""

    def __init__(self, model: Callable, call: Call, observed: list[str], latent: Latent) -> None:
        self.model, self.call, self.observed, self.latent = model, call, observed, latent
        self.prior_rowwise = False

    def trace(self, values: dict[str, jax.Array], z: jax.Array) -> Dependencies:
        labels = {id(v): n for n, v in values.items()} | {id(z): self.latent.name}
        leaves = (values, z, self.call.arrays)
        return dependencies(self._evaluate, leaves, labels, self.latent.name, self.latent.num_rows)

    def _evaluate(self, values: dict, z: jax.Array, arrays: tuple) -> dict:
        trace, _ = replay.run(
            self.model,
            self.call.rebuild(arrays),
            values=values,
            forced={self.latent.name: z, self.latent.prior: z},
        )
        out: dict[tuple[str, str], Any] = {}
        for name in self.observed:
            out["density", name] = _log_prob(trace[name])
            out["support", name] = _in_support(trace[name])
        base, _, _ = unwrap(trace[self.latent.prior]["fn"])
        batch = base.batch_shape
        self.prior_rowwise = any(-d <= len(batch) and batch[d] != 1 for d in self.latent.row_dims)
        out["prior", ""] = base.log_prob(z)
        return out


def _log_prob(site: dict) -> Any:
    return site["fn"].log_prob(site["value"])


def _in_support(site: dict) -> Any:
    """Whether each observation lies in the support, ignoring the observed values themselves."""
    support = site["fn"].support
    return support(site["value"]) if support is not None else jnp.asarray(True)


def _has_rows(site: dict, latent: Latent) -> bool:
    shape = site["fn"].batch_shape
    return all(
        -d <= len(shape) and shape[d] == size
        for d, size in zip(latent.row_dims, latent.rows, strict=True)
    )


def _same_plate(site: dict, prior: dict) -> bool:
    """Whether a site stands in z's plates (where z has no plate: shares its batch shape)."""
    own = {f.name for f in prior["cond_indep_stack"]}
    return bool(own) and own <= {f.name for f in site["cond_indep_stack"]}


def _parameter(site: dict, preset: set[str]) -> Parameter:
    name, constraint = site["name"], replay.site_constraint(site)
    if site["type"] == "sample" and site["fn"].is_discrete:
        raise ValueError(
            f"site {name!r} is a discrete parameter outside the plate of z; EM fits continuous "
            "parameters. Observe it, or hold it fixed with numpyro.handlers.condition"
        )
    shape = jnp.shape(site["value"])
    size = math.prod(biject_to(constraint).inverse_shape(shape))
    return Parameter(name, shape, size, _constraint_name(constraint), name not in preset)


def _constraint_name(constraint: constraints.Constraint) -> str:
    while isinstance(constraint, constraints.independent):
        constraint = constraint.base_constraint
    return type(constraint).__name__.strip("_").lower()


def _data(
    site: dict, latent: Latent, depends: frozenset[str], support_depends: bool, gaps: bool
) -> Data:
    name = site["name"]
    if not _has_rows(site, latent):
        raise ValueError(
            f"site {name!r} depends on {latent.name!r} but does not stand in its plate of "
            f"{latent.num_rows} rows (its shape is {tuple(site['fn'].batch_shape)}); put both in "
            "one plate, or nest a plate inside that of z"
        )
    base, cells, masked = unwrap(site["fn"])
    floating = jnp.issubdtype(jnp.result_type(site["value"]), jnp.floating)
    gaps = gaps and bool(floating) and not base.is_discrete
    family = find(type(base))
    return Data(
        name=name,
        distribution=type(base),
        shape=tuple(site["fn"].batch_shape) + tuple(site["fn"].event_shape),
        batch_rank=len(site["fn"].batch_shape),
        cell_rank=cells,
        event_rank=len(base.event_shape),
        discrete=bool(base.is_discrete),
        masked=masked,
        gaps=gaps,
        partial=gaps and bool(base.event_shape) and bool(family and family.partial()),
        depends=depends,
        support_depends=support_depends,
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
