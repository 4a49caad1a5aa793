"""What mixpyro makes of a model, as a function of parameters, by each of the ways that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from numpyro.infer.util import log_density

from mixpyro.em.calls.arguments import split
from mixpyro.em.classes.assignments.soft import Soft
from mixpyro.em.machine.by_numpy.interpret import interpreted
from mixpyro.em.plan.chunks import Rows
from mixpyro.em.programs import program_for
from mixpyro.em.read import trees
from mixpyro.em.rows.checks import check, findings
from mixpyro.em.rows.prepare import find_patterns, prepare
from mixpyro.em.step.objective import evaluate
from mixpyro.inference import marginalize
from mixpyro.inference.marginal import reading_of

Density = Callable[[Mapping[str, Any]], jax.Array]


def climbed(model: Callable, args: tuple, kwargs: Mapping) -> Density:
    """The log-likelihood that EM climbs: the E-step's, over statistics where there are some."""
    call = split(args, dict(kwargs))
    program = program_for(model, call)

    def objective(params: dict, rows: Rows) -> jax.Array:
        return evaluate(program, Soft(), params, rows).objective

    def read(arrays: tuple) -> Rows:
        return prepare(program, arrays)

    whole = interpreted(lambda params, arrays: objective(params, read(arrays)))
    parts = interpreted(objective)
    check(program, call.arrays, interpreted(lambda arrays: findings(program, arrays))(call.arrays))

    def density(params: Mapping[str, Any]) -> jax.Array:
        given = trees.split(_arrays(params), program.structure.trees)
        if program.augmented:  # patterns of gaps are counted on the host
            return parts(given, find_patterns(program, interpreted(read)(call.arrays)))
        return whole(given, call.arrays)

    return density


def marginal(model: Callable, args: tuple, kwargs: Mapping) -> Density:
    """The log density of the model with z summed out, priors included."""
    reading_of(model, split(args, dict(kwargs)))  # once and kept, not under jit

    @interpreted
    def density(params: dict) -> jax.Array:
        return log_density(marginalize(model), args, dict(kwargs), params)[0]

    return lambda params: density(_arrays(params))


def _arrays(params: Mapping[str, Any]) -> dict[str, Any]:
    return {n: jax.tree.map(jnp.asarray, v) for n, v in params.items()}
