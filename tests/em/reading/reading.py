"""What mixpyro makes of a model at given parameters, by each of the ways that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from numpyro.infer.util import log_density

from mixpyro.em.calls.arguments import split
from mixpyro.em.classes.assignments.soft import Soft
from mixpyro.em.machine.interpret import interpreted
from mixpyro.em.plan.chunks import Rows
from mixpyro.em.programs import program_for
from mixpyro.em.read import trees
from mixpyro.em.rows.prepare import find_patterns, prepare
from mixpyro.em.step.objective import evaluate
from mixpyro.inference import marginalize
from mixpyro.inference.marginal import reading_of


def climbed(model: Callable, args: tuple, kwargs: Mapping, params: Mapping[str, Any]) -> jax.Array:
    """The log-likelihood that EM climbs: the E-step's, over statistics where there are some."""
    call = split(args, dict(kwargs))
    program = program_for(model, call)

    def read(arrays: tuple) -> Rows:
        return prepare(program, arrays)

    def objective(params: dict, rows: Rows) -> jax.Array:
        return evaluate(program, Soft(), params, rows).objective

    given = {n: jax.tree.map(jnp.asarray, v) for n, v in params.items()}
    given = trees.split(given, program.structure.trees)
    if program.augmented:  # patterns of gaps are counted on the host
        rows = find_patterns(program, interpreted(read)(call.arrays))
        return interpreted(objective)(given, rows)
    return interpreted(lambda params, arrays: objective(params, read(arrays)))(given, call.arrays)


def marginal(model: Callable, args: tuple, kwargs: Mapping, params: Mapping[str, Any]) -> jax.Array:
    """The log density of the model with z summed out, priors included."""
    reading_of(model, split(args, dict(kwargs)))  # once and kept, not under jit

    def density(params: dict) -> jax.Array:
        return log_density(marginalize(model), args, dict(kwargs), params)[0]

    return interpreted(density)({n: jax.tree.map(jnp.asarray, v) for n, v in params.items()})
