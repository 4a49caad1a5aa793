"""Read a NumPyro model abstractly: its latent class, its plates, its parameters, its data.

Nothing is computed here. One trace under ``jax.eval_shape`` lists the sites; one jaxpr of the
model with z replaced says which parameters, and whether z, each site's likelihood depends on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.distributions import biject_to, constraints

from . import replay
from .arguments import has_gaps, with_values
from .call import Call
from .families import find, incomplete
from .fingerprint import fingerprint
from .latents import Latent, Level, arrange, find_latents, log_prob, masks, unwrap
from .provenance import Dependencies, dependencies
from .structure import Auxiliary, Data, Parameter, Structure
from .trees import by_leaves, find_trees

# Sites of one row each that are read.
_MOST_LEVELS = 64


def read(
    model: Callable, call: Call, to_fit: bool = True, priors: bool = False
) -> tuple[Structure, Call]:
    """Read ``model(*args, **kwargs)``; the call again, with the arrays concrete that have to be.

    Raises:
        ValueError: no or several discrete latents, a continuous latent per row, an observation
            that depends on z outside its plate, parameters that no data reach, no rows.
    """
    gaps = call.gaps or any(map(has_gaps, fingerprint(model).arrays))

    def attempt(call: Call) -> Structure:
        found: list[Structure] = []

        def abstract(arrays: tuple) -> None:
            # Within the trace: supports and distributions may hold values that live only here.
            trace, handler = replay.run(model, call.rebuild(arrays), default=replay.prototype)
            trees, split = find_trees(trace), model
            if trees:
                split = by_leaves(model, trees)
                trace, handler = replay.run(split, call.rebuild(arrays), default=replay.prototype)
            _refuse(trace, to_fit)
            latents, skip = find_latents(split, call, trace)
            _refuse_chains(trace, handler, latents)
            whole = to_fit and not priors
            preset = handler.preset
            made = _assemble(split, call, trace, preset, latents, skip, gaps, whole)
            found.append(replace(made, trees=trees))

        jax.eval_shape(abstract, call.arrays)
        return found[0]

    try:
        return with_values(call, attempt)
    except AssertionError as error:
        if "plate" not in str(error):
            raise
        raise ValueError(
            f"a plate of the model is empty ({_first_line(error)}); at least one row and one "
            "component are needed"
        ) from error


def _refuse(sites: dict, to_fit: bool) -> None:
    """Raise for what EM has no way with, whatever the latent classes are."""
    for site in sites.values():
        subsampled = site["type"] == "plate" and site["args"][1] not in (None, site["args"][0])
        if subsampled and to_fit:
            raise ValueError(
                f"plate {site['name']!r} is subsampled ({site['args'][1]} of {site['args'][0]}); "
                "EM uses all rows at every step: leave subsample_size out"
            )


def _refuse_chains(sites: dict, handler: replay.Replay, latents: list[Latent]) -> None:
    for latent in latents:
        if latent.prior in handler.chained:
            raise ValueError(
                f"the latent class {latent.name!r} stands inside a scan: EM reads classes of rows, "
                "and of rows within groups, but no chains of them (hidden Markov models). "
                "NumPyro's own enumeration fits those: SVI with TraceEnum_ELBO, or NUTS"
            )


def _assemble(
    model: Callable,
    call: Call,
    sites: dict,
    preset: set[str],
    found: list[Latent],
    skip: set[str],
    gaps: bool,
    whole: bool,
) -> Structure:
    parameters = tuple(
        _parameter(site, preset)
        for name, site in sites.items()
        if site["type"] == "param"
        or (site["type"] == "sample" and not site["is_observed"] and name not in skip)
    )
    latents, levels = arrange(found)
    for latent in latents:
        _refuse_row_latents(sites, preset, latent, skip)
    observed = [
        n for n, s in sites.items() if s["type"] == "sample" and s["is_observed"] and n not in skip
    ]
    values = {p.name: jnp.zeros(p.shape) for p in parameters}
    fn = _Outputs(model, call, observed, latents)
    try:
        deps = fn.trace(values, pointwise=True)
        ok = True
    except Exception:  # whatever a model does with a z of another shape than its own
        deps = fn.trace(values, pointwise=False)
        ok = False
    data, apart = [], []
    for name in observed:
        reached, site = deps.outputs["density", name], sites[name]
        _refuse_imputed(name, deps.outputs["value", name], sites)
        level = _level(site, reached, latents, levels, sites)
        if level is None:
            apart.append(name)
        else:
            repeats = _repeats(site, level, latents, sites)
            data.append(_data(site, level, deps, gaps, repeats))
    held = fn.held(values, apart, sites) if apart else set()
    fixed = [_parameter(sites[name], preset | {name}) for name in apart if name in held]
    auxiliary = tuple(
        Auxiliary(name, deps.outputs["density", name], _rows_of(sites[name]))
        for name in apart
        if name not in held
    )
    for name in (*observed, *(z.prior for z in latents)):
        if deps.outputs["scale", name]:
            raise ValueError(
                f"the scale of site {name!r} (numpyro.handlers.scale) depends on "
                f"{_listed(deps.outputs['scale', name])}; row weights must be data"
            )
    if not data:
        names = " and ".join(repr(z.name) for z in latents)
        raise ValueError(
            f"no observed site depends on the latent class {names}: give the data to a "
            "sample site with obs=..., and index its parameters with z"
        )
    latents = tuple(
        replace(z, depends=deps.outputs["prior", z.name], rowwise=fn.rowwise[z.name])
        for z in latents
    )
    parts: tuple[Latent | Data | Auxiliary, ...] = (*latents, *data, *auxiliary)
    likelihood = frozenset().union(*(part.depends for part in parts))
    for p in parameters:
        if whole and p.free and p.name not in likelihood:
            more = ", or fit it by objective='posterior' if it enters the priors of others"
            raise unreached(p.name, more, sites[p.name])
    indexed = any(level.owner == "index" for level in levels)
    return Structure(
        latents=latents,
        levels=tuple(levels),
        parameters=(*parameters, *fixed),
        data=tuple(data),
        auxiliary=auxiliary,
        pointwise=ok and not indexed,
        certain=ok and not indexed and not deps.mixing,
        gaps=gaps,
    )


def unreached(name: str, otherwise: str = "", site: dict | None = None) -> ValueError:
    """The error for a parameter of which the data say nothing."""
    # Conditioning is for sample sites: numpyro.param takes no notice of it.
    handler, held = "condition", name
    if site is not None and site["type"] == "param":
        handler, held = "substitute", site.get("tree", name)
    return ValueError(
        f"the likelihood does not reach the parameter {name!r}: no observed site depends on it. "
        "Remove it, or hold it fixed with "
        f"numpyro.handlers.{handler}(model, {{{held!r}: value}}){otherwise}"
    )


def _refuse_imputed(name: str, reached: frozenset[str], sites: dict) -> None:
    """Values without a density of their own that stand for missing observations."""
    for other in reached & set(sites):
        site = sites[other]
        if site["type"] == "sample" and unwrap(site["fn"])[2] is False:
            raise ValueError(
                f"site {other!r}, sampled under mask(False), stands for missing entries of "
                f"{name!r}. EM leaves missing entries out of the likelihood, which integrates over "
                f"them: give {name!r} its observations with NaN where they are missing, and leave "
                f"{other!r} out"
            )


def _rows_of(site: dict) -> int:
    """How many observations a site has: a factor none."""
    return math.prod(site["fn"].batch_shape) if jnp.size(site["value"]) else 0


def _listed(names: frozenset[str]) -> str:
    return ", ".join(map(repr, sorted(names)))


def _refuse_row_latents(sites: dict, preset: set[str], latent: Latent, skip: set[str]) -> None:
    rows = set(zip(latent.row_dims, latent.rows, strict=True))
    prior = sites[latent.prior]
    for name, site in sites.items():
        hidden = site["type"] == "sample" and not site["is_observed"] and name not in skip
        if not hidden or name in preset:
            continue
        frames = {(f.dim, f.size) for f in site["cond_indep_stack"]}
        by_row = frames & rows and _same_plate(site, prior)
        if not prior["cond_indep_stack"]:
            # Without a plate only the shape can tell; k parameters for k rows are left alone.
            by_row = _has_rows(site, latent) and latent.num_rows > latent.num_components
        if by_row:
            raise ValueError(
                f"site {name!r} is a continuous latent with one value a row (it stands in the "
                f"plate of {latent.name!r}); EM sums over z only. Move it out of that plate, "
                "integrate it out by hand, or observe it"
            )


def _level(
    site: dict,
    reached: frozenset[str],
    latents: tuple[Latent, ...],
    levels: list[Level],
    sites: dict,
) -> int | None:
    """The level of an observed site, made if need be; None if it is no datum of the rows."""
    touched = {z.level for z in latents if z.name in reached}
    inner = touched - {0}
    if len(inner) > 1:
        names = ", ".join(repr(z.name) for z in latents if z.name in reached)
        raise ValueError(
            f"site {site['name']!r} depends on latent classes of different rows ({names}); EM "
            "reads classes of units and, within them, classes of rows"
        )
    inside = [z.level for z in latents if _has_rows(site, z) and _same_plate(site, sites[z.prior])]
    if inner:
        (level,) = inner
        if not _has_rows(site, levels[level]):
            names = ", ".join(repr(z.name) for z in latents if z.level == level)
            raise ValueError(
                f"site {site['name']!r} depends on {names} but does not stand in its plate of "
                f"{levels[level].num_rows} rows (its shape is {tuple(site['fn'].batch_shape)}); "
                "put both in one plate, or nest a plate inside that of z"
            )
        return level
    if inside:
        return min(inside)
    if not touched:
        return None
    if _has_rows(site, levels[0]):
        return 0
    return _indexed(site, levels)


def _indexed(site: dict, levels: list[Level]) -> int:
    """The level of a site whose rows find their unit's class by an index."""
    shape = site["fn"].batch_shape
    dims = tuple(d for d in range(-len(shape), 0) if shape[d] != 1)
    new = Level(dims, tuple(shape[d] for d in dims), "index")
    for number, level in enumerate(levels):
        # Sites of one row each (made in a Python loop) may follow different units.
        if dims and number and (level.row_dims, level.rows) == (new.row_dims, new.rows):
            return number
    if len(levels) > _MOST_LEVELS:
        raise ValueError(
            f"site {site['name']!r} is one of more than {_MOST_LEVELS} sites that each depend on a "
            "class of one row; make them one site in a plate"
        )
    levels.append(new)
    return len(levels) - 1


class _Outputs:
    """The densities and supports of a model's observed sites, as a function of z and parameters."""

    def __init__(
        self, model: Callable, call: Call, observed: list[str], latents: tuple[Latent, ...]
    ) -> None:
        self.model, self.call, self.observed, self.latents = model, call, observed, latents
        self.rowwise: dict[str, bool] = {}

    def trace(self, values: dict[str, jax.Array], pointwise: bool) -> Dependencies:
        classes = {z.name: z.value(0, pointwise) for z in self.latents}
        labels = {id(v): n for n, v in (values | classes).items()}
        leaves = (values, classes, self.call.arrays)
        rows = {1, *(z.num_rows for z in self.latents)}
        return dependencies(self._evaluate, leaves, labels, frozenset(classes), rows)

    def _evaluate(self, values: dict, classes: dict, arrays: tuple) -> dict:
        forced = classes | {z.prior: classes[z.name] for z in self.latents}
        call = self.call.rebuild(arrays)
        trace, _ = replay.run(self.model, call, values=values, forced=forced)
        out: dict[tuple[str, str], Any] = {}
        for name in self.observed:
            out["density", name] = log_prob(trace[name])
            out["support", name] = _in_support(trace[name])
            out["mask", name] = masks(trace[name]["fn"])
            out["value", name] = trace[name]["value"]
            out["known", name] = _known(trace[name]["fn"])
            out["scale", name] = trace[name]["scale"]
        for latent in self.latents:
            base, _, _ = unwrap(trace[latent.prior]["fn"])
            batch = base.batch_shape
            self.rowwise[latent.name] = any(
                -d <= len(batch) and batch[d] != 1 for d in latent.row_dims
            )
            out["prior", latent.name] = base.log_prob(classes[latent.name])
            out["scale", latent.prior] = trace[latent.prior]["scale"]
        return out

    def held(self, values: dict[str, jax.Array], apart: list[str], sites: dict) -> set[str]:
        """Those of the observed sites apart from the rows whose value enters other densities.

        Such a site is a parameter that is held fixed; of the others the density is what matters.
        """
        given = {name: jnp.asarray(sites[name]["value"]) for name in apart}
        given = {name: jnp.zeros(v.shape, v.dtype) for name, v in given.items()}
        classes = {z.name: z.value(0, False) for z in self.latents}

        def evaluate(values: dict, given: dict, classes: dict, arrays: tuple) -> dict:
            forced = classes | {z.prior: classes[z.name] for z in self.latents} | given
            trace, _ = replay.run(
                self.model, self.call.rebuild(arrays), values=values, forced=forced
            )
            return {n: log_prob(s) for n, s in trace.items() if s["type"] == "sample"}

        labels = {id(v): n for n, v in given.items()}
        leaves = (values, given, classes, self.call.arrays)
        found = dependencies(evaluate, leaves, labels).outputs
        return {n for name, reached in found.items() for n in reached if n != name}


def _in_support(site: dict) -> Any:
    """Whether each observation lies in the support, ignoring the observed values themselves."""
    support = site["fn"].support
    return support(site["value"]) if support is not None else jnp.asarray(True)


def _has_rows(site: dict, latent: Latent | Level) -> bool:
    shape = site["fn"].batch_shape
    return all(
        -d <= len(shape) and shape[d] == size
        for d, size in zip(latent.row_dims, latent.rows, strict=True)
    )


def _same_plate(site: dict, prior: dict) -> bool:
    """Whether a site stands in z's plates (where z has no plate: shares its batch shape)."""
    own = {f.name for f in prior["cond_indep_stack"]}
    return bool(own) and own <= {f.name for f in site["cond_indep_stack"]}


def _repeats(site: dict, level: int, latents: tuple[Latent, ...], sites: dict) -> int:
    """How many rows a value of z has at a site: the size of its plates without parameters.

    A plate of items, each with parameters of its own, is no plate of rows.
    """
    own = {f.name for z in latents for f in sites[z.prior]["cond_indep_stack"]}
    items = {
        f.name
        for s in sites.values()
        if s["type"] == "param" or (s["type"] == "sample" and not s["is_observed"])
        for f in s.get("cond_indep_stack", ())
    }
    if level:
        return 1
    sizes = [f.size for f in site["cond_indep_stack"] if f.name not in own | items]
    return math.prod(sizes)


def _parameter(site: dict, preset: set[str]) -> Parameter:
    name, constraint = site["name"], replay.site_constraint(site)
    if site["type"] == "sample" and site["fn"].is_discrete:
        raise ValueError(
            f"site {name!r} is a discrete parameter outside the plate of z; EM fits continuous "
            "parameters. Observe it, or hold it fixed with numpyro.handlers.condition"
        )
    shape = jnp.shape(site["value"])
    size = math.prod(biject_to(constraint).inverse_shape(shape))
    support = constraint if _is_plain(constraint) else None
    return Parameter(name, shape, size, _constraint_name(constraint), name not in preset, support)


def _is_plain(constraint: constraints.Constraint) -> bool:
    """Whether a support is the same whatever the data and other parameters are."""
    for value in vars(constraint).values():
        if isinstance(value, constraints.Constraint):
            if not _is_plain(value):
                return False
        elif not isinstance(value, int | float | str | None):
            return False
    return True


def _constraint_name(constraint: constraints.Constraint) -> str:
    while isinstance(constraint, constraints.independent):
        constraint = constraint.base_constraint
    return type(constraint).__name__.strip("_").lower()


def _known(fn: dist.Distribution) -> list[Any]:
    """The arguments of a site's family that have to be data."""
    base = unwrap(fn)[0]
    family = find(type(base))
    return [getattr(base, name) for name in family.known] if family is not None else []


def _data(site: dict, level: int, deps: Dependencies, gaps: bool, repeats: int) -> Data:
    name = site["name"]
    depends = deps.outputs["density", name]
    moving = bool(deps.outputs["value", name])
    base, cells, mask = unwrap(site["fn"])
    floating = jnp.issubdtype(jnp.result_type(site["value"]), jnp.floating)
    gaps = gaps and bool(floating) and not base.is_discrete
    return Data(
        name=name,
        distribution=type(base),
        shape=tuple(site["fn"].batch_shape) + tuple(site["fn"].event_shape),
        batch_rank=len(site["fn"].batch_shape),
        cell_rank=cells,
        event_rank=len(base.event_shape),
        discrete=bool(base.is_discrete),
        masked=mask is not True,
        choice=bool(deps.outputs["mask", name]),
        steady=not moving and not deps.outputs["known", name],
        gaps=gaps,
        partial=gaps and bool(base.event_shape) and incomplete(type(base)) is not None,
        level=level,
        repeats=repeats,
        depends=depends,
        support_depends=moving or bool(deps.outputs["support", name]),
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
