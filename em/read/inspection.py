"""Read a NumPyro model abstractly: its latent class, its plates, its parameters, its data.

Nothing is computed here. One trace under ``jax.eval_shape`` lists the sites; one jaxpr of the
model with z replaced says which parameters, and whether z, each site's likelihood depends on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp

from ..calls.arguments import has_gaps, with_values
from ..calls.call import Call
from ..calls.fingerprint import fingerprint
from . import replay
from .chains.chain import BEFORE, Chain, chain_of, find_chain, refuse_others
from .latents import Latent, arrange, find_latents, unwrap
from .sites import Outputs, has_rows, level_of, read_data, read_parameter, repeats_of, same_plate
from .structure import Auxiliary, Data, Structure
from .trees import by_leaves, find_trees


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
            _refuse_broadcast(trace, handler)
            latents, skip = find_latents(split, call, trace)
            whole = to_fit and not priors
            made = _assemble(split, call, trace, handler, latents, skip, gaps, whole)
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


def _refuse_broadcast(sites: dict, handler: replay.Replay) -> None:
    """Raise where an observed value has another shape than its site: NumPyro multiplies the rows.

    It makes (n, n) of a column (n, 1) in a plate of n rows, and scores each under all classes.
    """
    for name, site in sites.items():
        if site["type"] != "sample" or not site["is_observed"] or name in handler.chained:
            continue
        given, own = jnp.shape(site["value"]), tuple(site["fn"].shape())
        if given == own[len(own) - len(given) :]:
            continue
        if len(given) == 2 and given[1] == 1 and own[:1] == given[:1]:
            raise ValueError(
                f"the observed value of site {name!r} is a column, of shape {given}: NumPyro "
                f"makes {own} of it, each value under every row's class; give it as x[:, 0]"
            )
        raise ValueError(
            f"the observed value of site {name!r} has shape {given}, where the site, its "
            f"distribution in its plates, has {own}; give a value for each of its entries"
        )


def _assemble(
    model: Callable,
    call: Call,
    sites: dict,
    handler: replay.Replay,
    found: list[Latent],
    skip: set[str],
    gaps: bool,
    whole: bool,
) -> Structure:
    preset = handler.preset
    scan = find_chain(handler.scans, handler.chained, found)
    parameters = tuple(
        read_parameter(site, preset)
        for name, site in sites.items()
        if site["type"] == "param"
        or (site["type"] == "sample" and not site["is_observed"] and name not in skip)
    )
    latents, levels = arrange(found)
    chain = None if scan is None else chain_of(scan, latents, levels)
    for latent in latents:
        _refuse_row_latents(sites, preset, latent, skip)
    observed = [
        n for n, s in sites.items() if s["type"] == "sample" and s["is_observed"] and n not in skip
    ]
    values = {p.name: jnp.zeros(p.shape) for p in parameters}
    fn = Outputs(model, call, observed, latents, chain is not None)
    try:
        deps = fn.trace(values, pointwise=True, gaps=gaps)
        ok = True
    except Exception:  # whatever a model does with a z of another shape than its own
        deps = fn.trace(values, pointwise=False, gaps=gaps)
        ok = False
    data, apart = [], []
    for name in observed:
        reached, site = deps.outputs["density", name], sites[name]
        _refuse_imputed(name, deps.outputs["value", name], sites)
        level = level_of(site, reached, latents, levels, sites)
        if level is None:
            apart.append(name)
        else:
            repeats = repeats_of(site, level, latents, sites)
            data.append(read_data(site, level, deps, gaps, repeats))
    if chain is not None:
        found_of = {n: deps.outputs["density", n] for n in observed}
        refuse_others(found_of, {d.name for d in data if d.level})
    held = fn.held(values, apart, sites) if apart else set()
    fixed = [read_parameter(sites[name], preset | {name}) for name in apart if name in held]
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
        replace(z, depends=deps.outputs["prior", z.name] - {BEFORE}, rowwise=fn.rowwise[z.name])
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
        certain=ok and not indexed and (not deps.mixing or _alone(chain, data)),
        gaps=gaps,
        chain=chain,
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
        by_row = frames & rows and same_plate(site, prior)
        if not prior["cond_indep_stack"]:
            # Without a plate only the shape can tell; k parameters for k rows are left alone.
            by_row = has_rows(site, latent) and latent.num_rows > latent.num_components
        if by_row:
            raise ValueError(
                f"site {name!r} is a continuous latent with one value a row (it stands in the "
                f"plate of {latent.name!r}); EM sums over z only. Move it out of that plate, "
                "integrate it out by hand, or observe it"
            )


def _alone(chain: Chain | None, data: list[Data]) -> bool:
    """Whether a step has one class only to mix with its own: that before, which is looked for."""
    return chain is not None and chain.number == 1 and {d.name for d in data} <= chain.sites


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
