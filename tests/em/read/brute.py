"""NumPyro's own likelihood of a model, summed over every configuration of its classes.

Nothing here knows of mixpyro: z is given at its natural shape and NumPyro scores the whole model.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from numpyro import handlers
from numpyro.infer.util import compute_log_probs
from numpyro.primitives import Messenger

MOST = 5000
# What runs once is compiled with few optimisations.
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def once(function: Callable, *args: Any) -> Any:
    """``function(*args)``, compiled as fast as can be."""
    return jax.jit(function).lower(*args).compile(compiler_options=QUICK)(*args)


class Some(Messenger):
    """Give every site that has no value some number: drawing one costs more."""

    def process_message(self, msg: dict) -> None:
        if msg["type"] == "sample" and msg["value"] is None:
            fn, shape = msg["fn"], msg["fn"].shape(msg["kwargs"].get("sample_shape", ()))
            if fn.is_discrete:
                msg["value"] = jnp.zeros(shape, int)
            else:
                transform = dist.biject_to(fn.support)
                msg["value"] = transform(jnp.zeros(transform.inverse_shape(shape)))


def sites(model: Callable, args: tuple, kwargs: Mapping) -> dict[str, dict]:
    """One trace of the model as NumPyro runs it, z at its natural shape."""
    with Some(), handlers.trace() as traced:
        model(*args, **kwargs)
    return dict(traced)


def configurations(traced: Mapping[str, dict]) -> dict[str, jax.Array]:
    """{class: (m, *its shape)} all m joint values of the classes that are not known."""
    hidden = {
        n: s
        for n, s in traced.items()
        if s["type"] == "sample" and not s["is_observed"] and s["fn"].is_discrete
    }
    choices, places, shapes = [], [], {}
    for name, site in hidden.items():
        shapes[name] = jnp.shape(site["value"])
        fn, free = site["fn"], np.ones(shapes[name], bool)
        while isinstance(fn, (dist.MaskedDistribution, dist.ExpandedDistribution)):
            if isinstance(fn, dist.MaskedDistribution):  # by `obs_mask`, or with its row
                free = free & np.asarray(fn._mask)
            fn = fn.base_dist
        size = fn.enumerate_support(expand=False).shape[0]
        for place in zip(*np.nonzero(free), strict=True) if free.ndim else [()]:
            choices.append(range(size))
            places.append((name, place))
    number = math.prod(len(c) for c in choices)
    assert number <= MOST, f"{number} configurations"
    out = {n: np.zeros((number, *shape), int) for n, shape in shapes.items()}
    for row, chosen in enumerate(itertools.product(*choices)):
        for (name, place), value in zip(places, chosen, strict=True):
            out[name][(row, *place)] = value
    return {n: jnp.asarray(v) for n, v in out.items()}


def parameters(traced: Mapping[str, dict]) -> set[str]:
    """The names of the continuous sites, free ones or of given value."""
    return {
        n
        for n, s in traced.items()
        if s["type"] == "param"
        or (s["type"] == "sample" and not s["is_observed"] and not s["fn"].is_discrete)
    }


def log_likelihood_and_prior(
    model: Callable,
    args: tuple,
    kwargs: Mapping,
    params: Mapping[str, Any],
    fixed: tuple[str, ...] = (),
) -> tuple[jax.Array, jax.Array]:
    """``log sum_z p(data, z | params)`` with every factor, and ``log p(params)``.

    ``fixed`` names parameters that ``handlers.condition`` holds: NumPyro scores them as data.
    """
    with jax.ensure_compile_time_eval():
        traced = sites(model, args, kwargs)
        every = configurations(traced)
    own = parameters(traced) | set(fixed)

    def one(classes: dict) -> tuple[jax.Array, jax.Array]:
        scores, _ = compute_log_probs(model, args, dict(kwargs), {**params, **classes})
        prior = sum((v for n, v in scores.items() if n in own), jnp.zeros(()))
        return sum((v for n, v in scores.items() if n not in own), jnp.zeros(())), prior

    if not every:  # all classes are known
        return one({})
    totals, priors = jax.vmap(one)(every)
    return logsumexp(totals), priors[0]
