"""The last step of several: an objective of classes that are known by their errors alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from ..classes.posterior import posterior
from ..machine.jit import quick_jit
from ..plan.program import Params, Program
from .outcomes import Outcome

Terms = Callable[[jax.Array, jax.Array, "Given", tuple], jax.Array]


class Given(NamedTuple):
    """What the last step sees: the outcome (n,) or (n, 2), where it is there, covariates (n, q)."""

    outcome: jax.Array
    there: jax.Array
    design: jax.Array
    weights: jax.Array
    assigned: jax.Array


class Way(NamedTuple):
    """Which of the objectives it is."""

    method: str
    assignment: str
    reference: int
    has_outcome: bool


def terms_of(
    program: Program,
    params: Params,
    arrays: tuple,
    beta: dict[str, jax.Array],
    given: Given,
    family: Outcome,
    way: Way,
) -> jax.Array:
    """(n,) what each row adds to the objective, without its weight."""
    k = program.num_components
    logits = given.design @ beta["coefficients"].T
    logits = jnp.insert(logits, way.reference, 0.0, axis=1)
    structural = jax.nn.log_softmax(logits, 1)
    if way.has_outcome:
        density = family.log_density(given.outcome, beta, way.method == "bch")
        structural += jnp.where(given.there[:, None], density, 0)
    if way.method == "none":
        return (given.assigned * structural).sum(1)
    resp = posterior(program, params, arrays).units.T
    if way.method == "two-step":
        sizes = program.log_weights(params, arrays).reshape(k, -1)[:, 0]
        measured = jnp.log(jnp.maximum(resp, jnp.finfo(resp.dtype).tiny)) - sizes
        return jax.nn.logsumexp(structural + measured, 1)
    assigned = given.assigned if way.assignment == "modal" else resp
    counted = resp * given.weights[:, None]
    errors = (counted.T @ assigned) / counted.sum(0)[:, None]  # (true, assigned)
    if way.method == "bch":
        return ((assigned @ jnp.linalg.inv(errors)) * structural).sum(1)
    joint = structural[:, :, None] + jnp.log(jnp.maximum(errors, 1e-300))
    return (assigned * jax.nn.logsumexp(joint, 1)).sum(1)


def objective_of(
    program: Program, terms: Terms, given: Given, arrays: tuple
) -> Callable[[np.ndarray, np.ndarray], tuple]:
    """The objective, its gradient and Hessian at any estimates, and parameters of the fit."""

    def total(beta: jax.Array, u: jax.Array, given: Given, arrays: tuple) -> jax.Array:
        return given.weights @ terms(beta, u, given, arrays)

    def three(beta: jax.Array, u: jax.Array, given: Given, arrays: tuple) -> tuple:
        value, slope = jax.value_and_grad(total)(beta, u, given, arrays)
        return value, slope, jax.hessian(total)(beta, u, given, arrays)

    compiled = quick_jit(program, three, 50)
    return lambda beta, u: jax.tree.map(
        lambda a: np.asarray(a, float), compiled(jnp.asarray(beta), jnp.asarray(u), given, arrays)
    )


def maximise(step: Callable, start: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Where the objective has its maximum.

    Raises:
        ValueError: it has none inside.
    """
    scale = 1 + abs(float(step(start, u)[0]))

    @lru_cache(maxsize=2)  # SciPy asks for the three one by one
    def at(point: bytes) -> tuple:
        return tuple(-v / scale for v in step(np.frombuffer(point, float), u))

    found = optimize.minimize(
        lambda b: at(b.tobytes())[0],
        start,
        jac=lambda b: at(b.tobytes())[1],
        hess=lambda b: at(b.tobytes())[2],
        method="trust-exact",
        options={"gtol": 1e-9, "maxiter": 500},
    )
    curvature = at(found.x.tobytes())[2]
    if not (np.isfinite(found.x).all() and np.linalg.eigvalsh(curvature).min() > 0):
        raise ValueError(
            "the last step has no maximum inside: a class has too few rows for these variables, or "
            "BCH weights are negative for one. Use fewer covariates, or another method"
        )
    return np.asarray(found.x, float)


def covariance_of(
    program: Program,
    terms: Terms,
    beta: np.ndarray,
    u: jax.Array,
    given: Given,
    arrays: tuple,
    first: np.ndarray | None,
) -> np.ndarray:
    """(p, p) robust, with what the first step's covariance (m, m) adds (see `external`)."""

    def parts(beta: jax.Array, u: jax.Array, given: Given, arrays: tuple) -> tuple:
        def slope(beta: jax.Array, u: jax.Array) -> jax.Array:
            return jax.grad(lambda b: given.weights @ terms(b, u, given, arrays))(beta)

        by_row = jax.jacfwd(terms)(beta, u, given, arrays)
        return by_row, jax.jacfwd(slope)(beta, u), jax.jacfwd(slope, 1)(beta, u)

    compiled = quick_jit(program, parts, 2 * (len(beta) + len(u)))
    by_row, bend, through = jax.tree.map(
        lambda a: np.asarray(a, float), compiled(jnp.asarray(beta), u, given, arrays)
    )
    weights = np.asarray(given.weights, float)
    inverse = np.linalg.inv(-bend)
    meat = (by_row * weights[:, None]).T @ by_row
    if first is not None:
        meat = meat + through @ first @ through.T
    return inverse @ meat @ inverse
