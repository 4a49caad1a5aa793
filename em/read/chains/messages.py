"""The sites of a scan as NumPyro leaves them, with time before all of their batch dimensions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.primitives import CondIndepStackFrame

from .body import Scan
from .over_time import left_out, masks, narrowed, put_back, with_time

_PLAIN: dict[str, Any] = {
    "args": (),
    "kwargs": {},
    "infer": {},
    "scale": None,
    "is_observed": False,
    "intermediates": [],
    "cond_indep_stack": [],
    "_control_flow_done": True,
}


def message(scan: Scan, name: str, parts: dict, moves: dict, narrow: bool = False) -> dict:
    """A site as NumPyro's scan leaves it, with time before all batch dimensions."""
    site = scan.sites[name]
    value = parts["value"]
    if site["type"] != "sample":
        value = value if moves["value"] else each_time(scan, value)
        return {**_PLAIN, "type": site["type"], "name": name, "value": value, "fn": _identity}
    if moves["scale"] is True:
        raise ValueError(
            f"the scale of site {name!r} within its scan changes over time; a chain has one "
            "weight for each sequence"
        )
    fn = with_time(parts["fn"], moves["fn"], scan.rank, scan.length)
    put_back(fn, parts["kept"], moves["kept"], scan.rank)
    if narrow:
        fn = narrowed(fn)
    batch = (scan.length, *(1,) * (scan.rank - scan.ranks[name]), *site["fn"].batch_shape)
    fn = fn if fn.batch_shape == batch else fn.expand(batch)
    if name in scan.classes:
        value = scan.forced.get(name, jnp.zeros(batch, int))
    elif moves["value"]:
        own = jnp.ndim(value) - 1 - fn.event_dim
        value = value.reshape(len(value), *(1,) * (scan.rank - own), *value.shape[1:])
    frame = CondIndepStackFrame(f"time of {scan.classes[0]}", -scan.rank - 1, scan.length)
    return {
        **_PLAIN,
        "type": "sample",
        "name": name,
        "fn": fn,
        "value": value,
        "kwargs": {"rng_key": None, "sample_shape": ()},
        "is_observed": site["is_observed"],
        "intermediates": [],
        "scale": parts["scale"],
        "cond_indep_stack": [*site["cond_indep_stack"], frame],
    }


def each_time(scan: Scan, value: Any) -> jax.Array:
    """What a step returns at all times where it is the same: along time if classes are."""
    length = scan.length if scan.wide else 1
    return jnp.broadcast_to(value, (length, *jnp.shape(value)))


def parts_of(site: dict) -> dict:
    """What of a site holds arrays."""
    if site["type"] != "sample":
        return {"value": site["value"]}
    kept = left_out(site["fn"])
    return {"fn": site["fn"], "value": site["value"], "scale": site["scale"], "kept": kept}


def with_prior(site: dict, prior: dict | None) -> dict:
    """A class's site with the distribution that was found apart, and its own masks."""
    if prior is None:
        return site
    fn = prior["fn"]
    while isinstance(fn, dist.MaskedDistribution):
        fn = fn.base_dist
    for mask in masks(site["fn"]):
        fn = fn.mask(mask)
    return {**site, "fn": fn}


def _identity(*args: Any, **kwargs: Any) -> Any:
    return args[0] if args else None
