"""What the sites of a model are: rows of a level, parameters, data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import biject_to, constraints

from ..calls.call import Call
from ..families import find, incomplete
from . import replay
from .chains.chain import BEFORE
from .chains.steps import Before
from .latents import Latent, Level, log_prob, masks, unwrap
from .provenance import Dependencies, dependencies
from .structure import Data, Parameter

# Sites of one row each that are read.
_MOST_LEVELS = 64


def level_of(
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
    inside = [z.level for z in latents if has_rows(site, z) and same_plate(site, sites[z.prior])]
    if inner:
        (level,) = inner
        if not has_rows(site, levels[level]):
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
    if has_rows(site, levels[0]):
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


class Outputs:
    """The densities and supports of a model's observed sites, as a function of z and parameters."""

    def __init__(
        self,
        model: Callable,
        call: Call,
        observed: list[str],
        latents: tuple[Latent, ...],
        chained: bool = False,
    ) -> None:
        self.model, self.call, self.observed, self.latents = model, call, observed, latents
        self.chained = chained  # classes follow one another
        self.rowwise: dict[str, bool] = {}

    def trace(self, values: dict[str, jax.Array], pointwise: bool, gaps: bool) -> Dependencies:
        """What each of them depends on; with ``gaps`` data may be NaN."""
        classes = {z.name: z.value(0, pointwise) for z in self.latents}
        labels = {id(v): n for n, v in (values | classes).items()}
        earlier = {z.name: z.value(0, pointwise) for z in self.latents if self.chained}
        labels |= {id(v): BEFORE for v in earlier.values()}
        leaves = (values, classes, Before(earlier, np.asarray(False)), self.call.arrays)
        rows = {1, *(z.num_rows for z in self.latents)}
        watched = frozenset((*classes, BEFORE))
        return dependencies(self._evaluate, leaves, labels, watched, rows, complete=not gaps)

    def _evaluate(self, values: dict, classes: dict, before: Before, arrays: tuple) -> dict:
        forced = classes | {z.prior: classes[z.name] for z in self.latents}
        call = self.call.rebuild(arrays)
        given = before if self.chained else None
        trace, _ = replay.run(self.model, call, given, values=values, forced=forced)
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


def has_rows(site: dict, latent: Latent | Level) -> bool:
    """Whether a site has the rows of a class or level, by its shape."""
    shape = site["fn"].batch_shape
    return all(
        -d <= len(shape) and shape[d] == size
        for d, size in zip(latent.row_dims, latent.rows, strict=True)
    )


def same_plate(site: dict, prior: dict) -> bool:
    """Whether a site stands in z's plates (where z has no plate: shares its batch shape)."""
    own = {f.name for f in prior["cond_indep_stack"]}
    return bool(own) and own <= {f.name for f in site["cond_indep_stack"]}


def repeats_of(site: dict, level: int, latents: tuple[Latent, ...], sites: dict) -> int:
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


def read_parameter(site: dict, preset: set[str]) -> Parameter:
    """A parameter of the model, which is fixed if its value was ``preset``."""
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


def read_data(site: dict, level: int, deps: Dependencies, gaps: bool, repeats: int) -> Data:
    """An observed site of a level's rows."""
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
        masked=mask is False or (mask is not True and ("mask", name) not in deps.always),
        choice=bool(deps.outputs["mask", name]),
        steady=not moving and not deps.outputs["known", name],
        gaps=gaps,
        partial=gaps and bool(base.event_shape) and incomplete(type(base)) is not None,
        level=level,
        repeats=repeats,
        depends=depends,
        support_depends=moving or bool(deps.outputs["support", name]),
    )
