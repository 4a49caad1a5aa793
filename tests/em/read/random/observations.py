"""The observed sites of a random model: arguments that come of parameters and classes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.ops.indexing import Vindex

from .plans import PLAIN, Argument, Plan, Site


def observation(
    plan: Plan,
    number: int,
    z: Any,
    u: Any,
    parameters: dict,
    given: dict,
    calibration: bool = False,
) -> tuple[dist.Distribution, Any]:
    site = plan.sites[number]
    args = []
    for place, argument in enumerate(site.arguments):
        c = u if argument.second and u is not None else z
        k = 2 if c is u and u is not None else plan.k
        args.append(_argument(plan, site, argument, f"{number}{place}", c, k, parameters, given))
    event = site.shape == "event" and not calibration
    fn = _distribution(site.family, args, jnp.asarray(z)[..., None] if event else z)
    if event:
        fn = fn.expand((*fn.batch_shape[:-1], plan.d)).to_event(1)
    value = jnp.asarray(given["w" if calibration else f"y{number}"])
    if site.observed == "scaled":
        value = 2 * value
    elif site.observed == "less a parameter":
        value = value - parameters["push"]
    return fn, value


def _argument(
    plan: Plan,
    site: Site,
    argument: Argument,
    name: str,
    c: Any,
    k: int,
    parameters: dict,
    given: dict,
) -> jax.Array:
    v = parameters[name]
    if argument.needs == "simplex":
        return _pick(v, c, plan.k, "index", "event")
    _, function = PLAIN[argument.needs][argument.transform]
    if argument.early:
        v = function(v)
    cell: Any = None
    if site.by_cell and site.shape == "columns":
        width = jnp.arange(plan.d)
        inner = 0 if plan.layout == "last but one" else len(plan.row_shape)
        cell = width.reshape(plan.d, *[1] * inner)
    elif site.by_cell or site.family == "MultivariateNormal":
        cell = "event"
    if argument.share == "one":
        v = v if cell is None or isinstance(cell, str) else v[cell]
    else:
        v = _pick(v, c, k, argument.indexing, cell)
    if not argument.early:
        v = function(v)
    if site.shape == "event" and cell is None:
        v = v[..., None]
    t, exposure = jnp.asarray(given["t"]), jnp.asarray(given["exposure"])
    if site.shape == "event" or site.family == "MultivariateNormal":
        t, exposure = t[..., None], exposure[..., None]
    data = exposure if argument.needs == "positive" else t
    if argument.joined == "plus data":
        v = v + data
    elif argument.joined == "times data":
        v = v * data
    elif argument.joined == "plus shared":
        v = v + parameters[f"shared{name}"]
    elif argument.joined == "times shared":
        v = v * parameters[f"shared{name}"]
    return v


def _pick(v: jax.Array, c: Any, k: int, how: str, cell: Any) -> jax.Array:
    """The parameters of class c: of (k,) or of (k, d) by column."""
    if cell is not None and not isinstance(cell, str):
        if how == "where":
            out = v[k - 1][cell]
            for j in range(k - 1):
                out = jnp.where(c == j, v[j][cell], out)
            return out
        return Vindex(v)[c, cell]
    c = jnp.asarray(c)
    wide = c[..., None] if isinstance(cell, str) else c
    if how == "where":
        out = v[k - 1]
        for j in range(k - 1):
            out = jnp.where(wide == j, v[j], out)
        return out
    if how == "stack":
        return jnp.stack([v[j] for j in range(k)])[c]
    if how == "take":
        return jnp.take(v, c, axis=0)
    if how == "one hot":
        return jax.nn.one_hot(c, k) @ v[:k]
    if how == "vindex":
        return Vindex(v)[c]
    if how == "sum":
        return sum(((wide == j) * v[j] for j in range(k)), jnp.zeros(()))
    return v[c]


def _distribution(family: str, args: list, z: Any) -> dist.Distribution:
    if family == "Binomial":
        return dist.Binomial(6, args[0])
    if family == "BinomialByClass":
        return dist.Binomial(jnp.array([6, 9, 7])[z], args[0])
    if family == "StudentT":
        return dist.StudentT(4.0, *args)
    if family == "MultivariateNormal":
        return dist.MultivariateNormal(args[0], jnp.array([[1.5, 0.4], [0.4, 0.8]]))
    return getattr(dist, family)(*args)
