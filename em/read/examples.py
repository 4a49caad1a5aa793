"""Admissible parameters at random, to try a model with."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import biject_to, constraints

from ..machine.jit import once_jit
from . import replay
from .reader import Params, Reader


def example(
    reader: Reader,
    arrays: tuple,
    seeds: int | tuple[int, ...],
    which: Any = 0,
    spread: Any = 1.0,
    size: tuple[Any, Any] = (0.0, 1.0),
) -> Params:
    """Some admissible parameters, no two entries alike: normal on the unconstrained scale.

    ``spread`` is their standard deviation there. Of several ``seeds`` the one at place
    ``which`` is taken, which may be traced. Numbers on the real line and positive ones are of
    the ``size`` (location and spread) that is given; matrices are well conditioned, whatever
    the spread.
    """
    rngs = [np.random.default_rng(s) for s in np.atleast_1d(seeds)]

    def draw(message: dict) -> jax.Array | None:
        if message["type"] == "sample" and message["fn"].is_discrete:
            return None
        shape = jnp.shape(values[message["name"]])
        constraint = replay.site_constraint(message)
        transform = biject_to(constraint)
        normal = [rng.normal(size=transform.inverse_shape(shape)) for rng in rngs]
        drawn = jnp.asarray(np.stack(normal), float)[which]
        if constraint.event_dim == 2:  # wide matrices of larger entries could not be inverted
            return transform(drawn / shape[-1] ** 0.5)
        drawn = drawn * spread
        if constraint is constraints.real:
            return size[0] + size[1] * drawn
        if constraint is constraints.positive:
            return size[1] * jnp.exp(drawn)
        return transform(drawn)

    values = reader.probe_values
    trace = reader.run({}, arrays, 0, default=draw)
    return {p.name: trace[p.name]["value"] for p in reader.structure.free}


def unseen_example(reader: Reader, arrays: tuple, seed: int) -> Params:
    """An `example` of which NumPyro sees no data: weights of 0 that it can see it refuses."""
    found: Params = once_jit(reader, lambda arrays: example(reader, arrays, seed))(tuple(arrays))
    return found
