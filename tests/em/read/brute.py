"""NumPyro's own likelihood of a model, summed over every configuration of its classes.

z is given at its natural shape and NumPyro scores the whole model. Nothing is mixpyro's but what
carries a jaxpr out by NumPy: of each model a few numbers are wanted, and compiling costs more.
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

from mixpyro.em.machine.by_numpy.interpret import interpreted

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
    # A scan draws within its steps, where no handler outside is asked.
    with handlers.seed(rng_seed=0), Some(), handlers.trace() as traced:
        model(*args, **kwargs)
    return dict(traced)


def hidden(traced: Mapping[str, dict]) -> dict[str, dict]:
    """The sites of the classes that are not known."""
    return {
        n: s
        for n, s in traced.items()
        if s["type"] == "sample" and not s["is_observed"] and s["fn"].is_discrete
    }


def parameters(traced: Mapping[str, dict]) -> set[str]:
    """The names of the continuous sites, free ones or of given value."""
    return {
        n
        for n, s in traced.items()
        if s["type"] == "param"
        or (s["type"] == "sample" and not s["is_observed"] and not s["fn"].is_discrete)
    }


def described(
    model: Callable, args: tuple, kwargs: Mapping
) -> tuple[set[str], dict[str, tuple[int, np.ndarray]]]:
    """The parameters' names, and of each class its number of values and where it is free."""
    names: set[str] = set()
    sizes: dict[str, int] = {}

    def places() -> dict[str, jax.Array]:
        traced = sites(model, args, kwargs)
        names.update(parameters(traced))
        free = {}
        for name, site in hidden(traced).items():
            fn, mask = site["fn"], jnp.ones(jnp.shape(site["value"]), bool)
            while isinstance(fn, (dist.MaskedDistribution, dist.ExpandedDistribution)):
                if isinstance(fn, dist.MaskedDistribution):  # by `obs_mask`, or with its row
                    mask = mask & fn._mask
                fn = fn.base_dist
            sizes[name] = fn.enumerate_support(expand=False).shape[0]
            free[name] = mask
        return free

    free = interpreted(places)()
    return names, {name: (size, np.asarray(free[name])) for name, size in sizes.items()}


def configurations(classes: Mapping[str, tuple[int, np.ndarray]]) -> dict[str, np.ndarray]:
    """{class: (m, *its shape)} all m joint values of the classes that are not known."""
    choices, places = [], []
    for name, (size, free) in classes.items():
        for place in zip(*np.nonzero(free), strict=True) if free.ndim else [()]:
            choices.append(range(size))
            places.append((name, place))
    number = math.prod(len(c) for c in choices)
    assert number <= MOST, f"{number} configurations"
    out = {name: np.zeros((number, *free.shape), int) for name, (_, free) in classes.items()}
    for row, chosen in enumerate(itertools.product(*choices)):
        for (name, place), value in zip(places, chosen, strict=True):
            out[name][(row, *place)] = value
    return out


Score = Callable[[Mapping[str, Any]], tuple[jax.Array, jax.Array]]


def scorer(model: Callable, args: tuple, kwargs: Mapping, fixed: tuple[str, ...] = ()) -> Score:
    """Of parameters ``log sum_z p(data, z | params)`` with every factor, and ``log p(params)``.

    ``fixed`` names parameters that ``handlers.condition`` holds: NumPyro scores them as data.
    """
    score = scorer_by_mask(lambda _: model, [np.ones(())], args, kwargs, fixed)

    def total(params: Mapping[str, Any]) -> tuple[jax.Array, jax.Array]:
        totals, prior = score(params)
        return totals[0], prior

    return total


def scorer_by_mask(
    model_of: Callable, masks: list[np.ndarray], args: tuple, kwargs: Mapping, fixed: tuple = ()
) -> Score:
    """As `scorer`, of the models ``model_of(mask)``: their log-likelihoods, and one log prior."""
    found = [described(model_of(mask), args, kwargs) for mask in masks]
    own = set().union(fixed, *(names for names, _ in found))
    # All configurations of all models one after the other: the model is traced once.
    each = [configurations(classes) for _, classes in found]
    numbers = [len(next(iter(every.values()), [()])) for every in each]
    part = np.repeat(np.arange(len(masks)), numbers)
    every = {n: np.concatenate([e[n] for e in each]) for n in each[0]}

    def score(params: Mapping[str, Any]) -> tuple[jax.Array, jax.Array]:
        def one(mask: jax.Array, classes: dict) -> tuple[jax.Array, jax.Array]:
            given = {**params, **classes}
            scores, _ = compute_log_probs(model_of(mask), args, dict(kwargs), given)
            prior = sum((v for n, v in scores.items() if n in own), jnp.zeros(()))
            return sum((v for n, v in scores.items() if n not in own), jnp.zeros(())), prior

        totals, priors = jax.vmap(one)(jnp.asarray(masks)[part], every)
        members = part == np.arange(len(masks))[:, None]
        return logsumexp(jnp.where(members, totals, -jnp.inf), axis=1), priors[0]

    return score


def log_prior(model: Callable, args: tuple, kwargs: Mapping) -> Callable[[Mapping], float]:
    """NumPyro's log density of the parameters, as a function of them."""

    @interpreted
    def total(params: Mapping[str, Any]) -> jax.Array:
        with handlers.substitute(data=dict(params)):
            traced = sites(model, args, kwargs)
        priors = [traced[n] for n in parameters(traced) if traced[n]["type"] == "sample"]
        return sum((s["fn"].log_prob(s["value"]).sum() for s in priors), jnp.zeros(()))

    return lambda params: float(total({n: jax.tree.map(jnp.asarray, v) for n, v in params.items()}))
