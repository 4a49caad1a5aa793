"""One distribution of two: at the first step of a chain, and at the later ones."""

from __future__ import annotations

import copy
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.distributions.distribution import Distribution

from ..latents import unwrap
from .over_time import left_out

_PLAIN = {
    dist.CategoricalLogits: dist.CategoricalProbs,
    dist.BernoulliLogits: dist.BernoulliProbs,
}
# Its exponential is 0, and 0 times it is 0.
_NEVER = -1e30


def joined(
    name: str, first: Distribution, later: Distribution, at_first: jax.Array
) -> Distribution:
    """``first`` where ``at_first`` says so, else ``later``.

    Raises:
        ValueError: distributions of different types or shapes.
    """
    (a, cells, mask_a), (b, own, mask_b) = unwrap(first), unwrap(later)
    if type(a) is not type(b):
        a, b = _probs(a), _probs(b)
    shape, fitting = later.batch_shape, type(a) is type(b) and cells == own
    fitting = fitting and a.event_shape == b.event_shape and first.batch_shape == shape
    fitting = fitting and all(jnp.ndim(m) <= len(shape) for m in (mask_a, mask_b))
    if not fitting:
        raise ValueError(
            f"site {name!r} of the scan is {_described(later)}, and {_described(first)} where it "
            "begins before the scan; EM reads chains whose steps are alike: give both the same "
            "distribution and plates, or declare the first step within the scan, by "
            "jnp.where(t == 0, ..., ...) with the time t in the carry"
        )
    new = copy.copy(b)
    for field in (*type(b).gather_pytree_data_fields(), *left_out(b)):
        one, other = vars(a).get(field), vars(b).get(field)
        if one is not None and other is not None:
            value = jax.tree.map(lambda u, v: jnp.where(at_first, u, v), one, other)
            setattr(new, field, value)
    new._batch_shape = jnp.broadcast_shapes(a.batch_shape, b.batch_shape)
    whole = new.to_event(own) if own else new
    whole = whole.expand(shape)
    if mask_a is True and mask_b is True:
        return whole
    return whole.mask(jnp.where(at_first, mask_a, mask_b))


def staying(fn: Distribution, before: jax.Array, at_first: jax.Array) -> Distribution:
    """A class that is drawn at the first step, and is what it was before at the later ones."""
    base = unwrap(fn)[0]
    if isinstance(base, dist.CategoricalLogits):
        k = base.logits.shape[-1]
        logits = jnp.where(jax.nn.one_hot(before, k, dtype=bool), 0.0, _NEVER)
        own = dist.CategoricalLogits(jnp.where(at_first, base.logits, logits))
    elif isinstance(base, dist.BernoulliLogits):
        logits = jnp.where(before == 1, -_NEVER, _NEVER)
        own = dist.BernoulliLogits(jnp.where(at_first, base.logits, logits))
    elif isinstance(base, dist.BernoulliProbs):
        own = dist.BernoulliProbs(jnp.where(at_first, base.probs, before * 1.0))
    elif isinstance(base, dist.CategoricalProbs):
        probs = jax.nn.one_hot(before, base.probs.shape[-1])
        own = dist.CategoricalProbs(jnp.where(at_first, base.probs, probs))
    else:
        raise ValueError(
            f"a class of whole sequences is {_described(fn)}; EM reads Categorical and Bernoulli "
            "ones before a scan"
        )
    return own.expand(fn.batch_shape)


def at_first_only(fn: Distribution, at_first: jax.Array) -> Distribution:
    """What is observed at the first step, and at no other."""
    base = unwrap(fn)[0]
    if isinstance(base, dist.Unit):  # a factor
        return dist.Unit(jnp.where(at_first, fn.log_prob(jnp.zeros(fn.shape())), 0.0))
    return fn.mask(at_first)


def _probs(fn: Distribution) -> Distribution:
    plain = _PLAIN.get(type(fn))
    return fn if plain is None else plain(fn.probs)


def _described(fn: Distribution) -> Any:
    base = unwrap(fn)[0]
    name = type(base).__name__.removesuffix("Probs").removesuffix("Logits")
    return f"a {name} of shape {fn.shape()}"
