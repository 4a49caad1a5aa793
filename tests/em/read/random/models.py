"""The NumPyro model of a plan."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro import handlers

from .observations import observation
from .plans import FIXED, PRIORS, Argument, Plan, Site, size_of, support_of


def build(plan: Plan, only: jax.Array | None = None) -> Callable:
    """The model of a plan; ``only``, the rows that count, leaves weights out."""

    def model(**given: Any) -> None:
        parameters: dict[str, jax.Array] = {}
        weights = _weights(plan, given)
        moved = any(site.observed == "less a parameter" for site in plan.sites)
        if plan.outer_factor or plan.inner_factor != "none" or moved:
            parameters["push"] = numpyro.sample("push", dist.Normal(0, 1))
        for number, site in enumerate(plan.sites):
            for place, argument in enumerate(site.arguments):
                _declare(plan, site, argument, f"{number}{place}", parameters)
        if plan.calibration:
            with numpyro.plate("calibration", 3):
                c = jnp.asarray(given["calibrated"])
                fn, value = observation(plan, 0, c, None, parameters, given, calibration=True)
                numpyro.sample("w", fn, obs=value)
        with ExitStack() as around:
            if plan.scaled and only is None:
                around.enter_context(handlers.scale(scale=given["row_weights"]))
            if only is not None:
                around.enter_context(handlers.mask(mask=only.reshape(plan.row_shape)))
            _rows(plan, weights, parameters, given)
        if plan.outer_factor:
            numpyro.factor("outer", -0.3 * (parameters["push"] - 0.5) ** 2)

    held = {"00": FIXED[support_of(plan.sites[0].arguments[0])]} if plan.held != "none" else {}
    if held:
        handler = handlers.condition if plan.held == "condition" else handlers.substitute
        return handler(model, {"a00": jnp.full(size_of(plan, 0, 0), held["00"])})
    return model


def _declare(plan: Plan, site: Site, argument: Argument, name: str, out: dict) -> None:
    number, place = int(name[0]), int(name[1:])
    if argument.needs == "simplex":
        fn = dist.Dirichlet(jnp.ones(3))
        with numpyro.plate(f"classes{name}", plan.k):
            out[name] = numpyro.sample(f"a{name}", fn)
        return
    if argument.joined.endswith("shared"):
        fn = PRIORS[argument.needs][0]
        out[f"shared{name}"] = numpyro.sample(f"shared{name}", fn)
    if argument.share == "fixed":
        out[name] = jnp.linspace(0.2, 0.7, plan.k)
        return
    if argument.share == "first":  # tied to the first argument of all
        out[name] = out["00"]
        return
    shape = size_of(plan, number, place)
    fn, constraint = PRIORS[support_of(argument)]
    if argument.declare == "param":
        start = jnp.full(shape, FIXED[support_of(argument)])
        out[name] = numpyro.param(f"a{name}", start, constraint=constraint)
    elif argument.declare == "plate" and len(shape) == 1:
        with numpyro.plate(f"classes{name}", shape[0]):
            out[name] = numpyro.sample(f"a{name}", fn)
    else:
        out[name] = numpyro.sample(f"a{name}", fn.expand(shape).to_event(len(shape)))
    if argument.share == "tied":
        out[name] = jnp.concatenate([out[name][:1], out[name]])


def _weights(plan: Plan, given: dict) -> Callable:
    """The class's distribution, from nothing or from another class."""
    if plan.weights == "beta":
        p = numpyro.sample("weight", dist.Beta(1, 1))
        return lambda: dist.Bernoulli(p)
    if plan.weights == "stacked":
        p = numpyro.sample("weight", dist.Beta(1, 1))
        return lambda: dist.Categorical(jnp.stack([p, 1 - p]))
    if plan.weights in ("softmax", "covariates"):
        a = numpyro.sample("logits", dist.Normal(0, 1).expand([plan.k]).to_event(1))
        if plan.weights == "softmax":
            return lambda: dist.Categorical(jax.nn.softmax(a))
        return lambda: dist.Categorical(logits=a * given["t"][..., None])
    if plan.weights == "fixed":
        return lambda: dist.Categorical(jnp.arange(1.0, plan.k + 1) / (plan.k * (plan.k + 1) / 2))
    w = numpyro.sample("weights", dist.Dirichlet(jnp.ones(plan.k)))
    return lambda: dist.Categorical(w)


def _rows(plan: Plan, weights: Callable, parameters: dict, given: dict) -> None:
    n, g = plan.n, plan.units
    u = None

    def draw(**more: Any) -> Any:
        return numpyro.sample("z", weights(), **more)

    if plan.layout == "global":
        z = draw()
        with numpyro.plate("rows", n):
            return _sites(plan, z, u, parameters, given)
    if plan.layout == "groups":
        with numpyro.plate("groups", g):
            z = draw()
        with numpyro.plate("rows", n):
            return _sites(plan, z[given["group"]], u, parameters, given)
    if plan.layout == "expand":
        z = numpyro.sample("z", weights().expand([n]))
        return _sites(plan, z, u, parameters, given)
    if plan.layout in ("nested", "within"):
        with numpyro.plate("groups", g, dim=-2):
            z = draw()
            with numpyro.plate("rows", n, dim=-1):
                if plan.layout == "within":
                    u = numpyro.sample("u", dist.Bernoulli(jnp.array([0.3, 0.6, 0.8])[z]))
                return _sites(plan, z, u, parameters, given)
    labels = {
        "none": {},
        "all": {"obs": given["label"]},
        "some": {"obs": given["label"], "obs_mask": given["known"]},
    }[plan.labels]
    with numpyro.plate("rows", n, dim=-2 if plan.layout == "last but one" else -1):
        z = draw(**labels)
        if plan.layout == "two":
            u = numpyro.sample("u", dist.Bernoulli(0.4))
        return _sites(plan, z, u, parameters, given)


def _sites(plan: Plan, z: Any, u: Any, parameters: dict, given: dict) -> None:
    for number, site in enumerate(plan.sites):
        with ExitStack() as around:
            if site.mask == "handler":
                around.enter_context(handlers.mask(mask=given["keep"]))
            if site.shape == "columns":
                dim = -1 if plan.layout == "last but one" else -1 - len(plan.row_shape)
                around.enter_context(numpyro.plate(f"columns{number}", plan.d, dim=dim))
            fn, value = observation(plan, number, z, u, parameters, given)
            if site.mask == "distribution":
                fn = fn.mask(given["keep"])
            numpyro.sample(f"y{number}", fn, obs=value)
    if plan.inner_factor == "shared":
        numpyro.factor("inner", 0.1 * parameters["push"] * jnp.ones(plan.row_shape))
    elif plan.inner_factor == "by class":
        numpyro.factor("inner", 0.1 * parameters["push"] * (z + 1) * jnp.ones(plan.row_shape))
