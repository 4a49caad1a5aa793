"""Bad input, found before EM runs: each a ValueError that names the site and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints

from ..calls.arguments import places
from ..families import find
from ..read import layout
from ..read.examples import example as example_of
from ..read.latents import Latent, plain_name
from ..read.reader import Reader
from ..read.units import owners


def findings(program: Reader, arrays: tuple, trace: dict | None = None) -> dict[str, Any]:
    """What the host needs to see of the data, as few numbers (to be compiled).

    ``trace`` is that of `Reader.probed` if it is there already.
    """
    structure = program.structure
    trace = program.probed(arrays) if trace is None else trace
    unit_weights = program.row_weights(trace)
    weights = {0: unit_weights} | {
        level: unit_weights[owners(program, arrays, level)] for level in program.inner_levels
    }
    pure = program.weights_in(trace)  # those of steps after the end of a sequence, too
    scales = {level: w if level else pure for level, w in weights.items()}
    found: dict[str, Any] = {"inside": {}, "nan": {}, "empty": {}, "density": {}, "scale": {}}
    for site in program.structure.data:
        message = trace[site.name]
        value = jnp.asarray(message["value"])
        if not value.size:  # numpyro.factor: a density without data
            continue
        seen = layout.observed(message, site) if site.holes else None
        if jnp.issubdtype(value.dtype, jnp.floating) and not site.partial:
            missing = jnp.isnan(value)
            if seen is not None:
                # Half an event is missing only where the other half is there.
                events = tuple(range(value.ndim - site.event_rank, value.ndim))
                missing = missing & seen.any(events, keepdims=True)
            found["nan"][site.name] = _first(missing)
        if seen is not None:
            rows = layout.site_observed(message, structure.level_of(site), site)
            found["empty"][site.name] = _first(~rows.any(-1))
        support = message["fn"].support
        while isinstance(support, constraints.independent) and support.event_dim > site.event_rank:
            support = support.base_constraint  # so that the entry is named, not only its row
        if not site.support_depends and support is not None:
            outside = ~support(value)
            family = find(site.distribution)
            if family is not None:
                outside |= ~family.admits(value)
            if jnp.issubdtype(value.dtype, jnp.floating):
                infinite = jnp.isinf(value)  # which NumPyro's `positive` takes
                outside |= infinite.reshape(*outside.shape, -1).any(-1)
            if seen is not None:
                outside &= seen.reshape(*outside.shape, -1).all(-1)
            found["inside"][site.name] = _first(outside)
        if message["scale"] is not None:
            scale = layout.rows_first(
                jnp.asarray(message["scale"], float),
                structure.level_of(site),
                site.batch_rank,
                0,
                0,
            )
            own = scales[site.level][:, None]
            if site.holes and site.level:  # what has no entry does not tell which unit it is of
                there = layout.site_observed(message, structure.level_of(site), site)
                own = jnp.where(there.reshape(-1, len(own)).any(0)[:, None], own, scale[:, :1])
            found["scale"][site.name] = jnp.abs(scale[:, :1] - own).max() + (
                jnp.abs(scale - scale[:, :1]).max()
            )
        else:
            found["scale"][site.name] = jnp.abs(scales[site.level] - 1).max()
    if program.structure.gaps:
        example = example_of(program, arrays, 2)
        names = tuple(site.name for site in structure.data)
        for level in range(len(structure.levels)):
            each = partial(program.densities, arrays=arrays, names=names, level=level)
            of_level = jax.vmap(partial(each, example))(jnp.arange(structure.num_components(level)))
            for name, density in of_level.items():
                found["density"][name] = _first(jnp.isnan(density).any(0))
        priors = program.run(example, arrays, 0)
        for latent in structure.latents:
            if latent.rowwise:
                given = layout.family_of(priors[latent.prior])
                found["density"][latent.name] = _first(_gone(given, latent))
    found["support"], found["bad label"], found["label"] = {}, {}, {}
    if structure.chain is not None:
        by_time = pure.reshape(structure.chain.length, -1)
        found["uneven"] = _first((by_time != by_time[:1]).any(1))
    given = program.observed_labels(arrays)
    for latent in structure.latents:
        base = layout.family_of(trace[latent.prior])
        listed = base.enumerate_support(expand=False).reshape(-1)
        found["support"][latent.name] = jnp.all(listed == jnp.arange(latent.num_components))
        if latent.name in given:
            labels, known = given[latent.name]
            whole = labels == jnp.floor(labels.astype(float))
            bad = known & ~(whole & (labels >= 0) & (labels < latent.num_components))
            found["bad label"][latent.name] = _first(bad)
            found["label"][latent.name] = labels[jnp.argmax(bad)]
    if set(given) == {z.name for z in structure.latents}:
        found["known"] = jnp.stack([known.all() for _, known in given.values()]).all()
    found["weights"] = jnp.min(unit_weights)
    found["total"] = unit_weights.sum()
    # As many as there are rows, where units have several.
    found["observations"] = jnp.stack([w.sum() for w in weights.values()]).max()
    if structure.auxiliary:
        beside = program.run(example_of(program, arrays, 2), arrays, 0)
        for aside in structure.auxiliary:
            by_entry = jnp.asarray(beside[aside.name]["fn"].log_prob(beside[aside.name]["value"]))
            found["density"][aside.name] = _first(~jnp.isfinite(by_entry))
    found["fixed"] = {p.name: trace[p.name]["value"] for p in program.structure.fixed}
    return found


def _gone(fn: dist.Distribution, latent: Latent) -> jax.Array:
    """(n,) where an argument of a class's prior is NaN, whatever NumPyro's density makes of it."""
    batch = len(fn.batch_shape)
    gone = jnp.zeros((latent.num_rows,), bool)
    for value in fn.get_args().values():
        missing = jnp.isnan(jnp.asarray(value))
        event = max(missing.ndim - batch, 0)
        by_row = layout.rows_first(missing, latent, batch, 0, event)
        gone |= by_row.reshape(by_row.shape[0], -1).any(1)
    return gone


def _first(bad: jax.Array) -> jax.Array:
    """The flat place of the first True; -1 if there is none."""
    return jnp.where(bad.any(), jnp.argmax(bad), -1)


def check(program: Reader, arrays: tuple, found: Mapping[str, Any], to_fit: bool = True) -> None:
    """Raise a ValueError for the first thing that is wrong with the data (to fit, or to score)."""
    latents = {z.name: z for z in program.structure.latents}
    latent = program.structure.latent
    for name, counts_from_zero in found["support"].items():
        if counts_from_zero:
            continue
        raise ValueError(
            f"the latent site {name!r} takes other values than 0, 1, ..., K - 1; use a "
            "Categorical and map its value inside the model"
        )
    for name, place in found["nan"].items():
        if place >= 0:
            raise ValueError(
                f"site {name!r} is missing (NaN) at {_place(program, arrays, name, place, True)}; "
                "drop or impute such rows, or leave the entry out with numpyro.handlers.mask"
            )
    for name, place in found["density"].items():
        if place >= 0 and name in {a.name for a in program.structure.auxiliary}:
            raise ValueError(
                f"the log density of site {name!r}, beside the rows of {latent.name!r}, is not "
                f"finite at entry {place}: drop missing entries, or correct the observation"
            )
        if place >= 0:
            what = "the class" if name in latents else "its observation"
            raise ValueError(
                f"the density of site {name!r} is NaN at row {place}, though {what} is there: "
                f"{_missing(program, arrays)}. EM has no model of covariates: drop or impute"
            )
    for name, place in found["empty"].items():
        if place >= 0 and to_fit:
            raise ValueError(
                f"site {name!r} has no observed entry in column {place}: every one is missing; "
                "leave the column out"
            )
    for name, place in found["inside"].items():
        if place >= 0:
            data = next(d for d in program.structure.data if d.name == name)
            raise ValueError(
                f"site {name!r} has the value {_value(program, arrays, name, place)} at "
                f"{_place(program, arrays, name, place)}, outside the support of "
                f"{plain_name(data.distribution)}; correct the data or use another distribution"
            )
    if not found["weights"] >= 0 or not np.isfinite(found["total"]):
        raise ValueError(
            "a row weight (numpyro.handlers.scale) is negative or not finite; weights are >= 0"
        )
    if not found["total"] > 0:
        raise ValueError("all row weights (numpyro.handlers.scale) are 0; nothing is left to fit")
    if found.get("uneven", -1) >= 0:
        raise ValueError(
            f"the weight of {latent.name!r} (numpyro.handlers.scale) changes over time, first at "
            f"time {int(found['uneven'])}: the steps of a chain are no independent rows, so that a "
            "sequence has one weight. Leave observations out by numpyro.handlers.mask"
        )
    for name, difference in found["scale"].items():
        if difference > 0:
            raise ValueError(
                f"site {name!r} and the latent site {latent.name!r} have different scales; put "
                "both under one numpyro.handlers.scale with one weight a row (a subsampling plate "
                "also scales: EM uses all rows at every step)"
            )
    for name, place in found["bad label"].items():
        if place >= 0:
            raise ValueError(
                f"label {found['label'][name]} of site {name!r} at row {int(place)} is out of "
                f"range: the model has {latents[name].num_components} components, 0 to "
                f"{latents[name].num_components - 1}"
            )
    several = latent.num_rows > 1 and not program.inner_levels
    if to_fit and several and latent.num_rows < latent.num_components:
        raise ValueError(
            f"{latent.num_rows} rows are fewer than the {latent.num_components} components of "
            f"{latent.name!r}; use fewer components or more data"
        )


def _missing(program: Reader, arrays: tuple) -> str:
    """Where the arguments that are no observations of a site have a NaN."""
    trace = program.run(program.probe_values, arrays, 0)
    observed = [np.asarray(trace[d.name]["value"]) for d in program.structure.data]
    named, found = places(program.source, program.template_call(arrays)), []
    for name, place in named.items():
        array = np.asarray(arrays[place])
        own = any(np.array_equal(array, v, equal_nan=True) for v in observed)
        if array.dtype.kind == "f" and np.isnan(array).any() and not own:
            index = zip(
                ("row", "column", *["index"] * array.ndim),
                np.argwhere(np.isnan(array))[0],
                strict=False,
            )
            found.append(f"argument {name!r} at {', '.join(f'{w} {i}' for w, i in index)}")
    return f"a covariate is missing ({'; '.join(found)})" if found else "a covariate is missing"


def _observed(program: Reader, arrays: tuple, name: str) -> np.ndarray:
    trace = program.run(program.probe_values, arrays, 0)
    return np.asarray(trace[name]["value"])


def _checked_shape(program: Reader, name: str, values: np.ndarray) -> tuple[int, ...]:
    """The shape that a support is checked in: the family's own event is checked as one."""
    data = next(d for d in program.structure.data if d.name == name)
    return values.shape[: values.ndim - data.event_rank]


def _place(program: Reader, arrays: tuple, name: str, flat: Any, entry: bool = False) -> str:
    values = _observed(program, arrays, name)
    shape = values.shape if entry else _checked_shape(program, name, values)
    index = tuple(int(i) for i in np.unravel_index(int(flat), shape))
    words = ["row", "column", *["index"] * len(index)]
    return ", ".join(f"{word} {i}" for word, i in zip(words, index, strict=False))


def _value(program: Reader, arrays: tuple, name: str, flat: Any) -> str:
    values = _observed(program, arrays, name)
    index = np.unravel_index(int(flat), _checked_shape(program, name, values))
    return str(values[index])
