"""What mixpyro makes of a model at given parameters, by each of the ways that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from numpyro.infer.util import log_density

from mixpyro.em.arguments import split
from mixpyro.em.assign import Soft
from mixpyro.em.driver import prepare, program_for
from mixpyro.em.prior import evaluate
from mixpyro.inference import marginalize


def climbed(model: Callable, args: tuple, kwargs: Mapping, params: Mapping[str, Any]) -> jax.Array:
    """The log-likelihood that EM climbs: the E-step's, over statistics where there are some."""
    call = split(args, dict(kwargs))
    program = program_for(model, call)
    rows, _ = prepare(program, call.arrays)
    given = {n: jax.tree.map(jnp.asarray, v) for n, v in params.items()}
    return evaluate(program, Soft(), given, rows).objective


def marginal(model: Callable, args: tuple, kwargs: Mapping, params: Mapping[str, Any]) -> jax.Array:
    """The log density of the model with z summed out, priors included."""
    return log_density(marginalize(model), args, dict(kwargs), dict(params))[0]
