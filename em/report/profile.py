"""Profile-likelihood intervals: where the likelihood, maximised over all else, falls too far."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ..classes.assignments.soft import Soft
from ..climb.boundary import BOUNDED, away
from ..machine.jit import quick_jit
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..step.objective import evaluate

if TYPE_CHECKING:
    from .result import Result

# Entries at an edge begin so far from it, so that they can leave it where others move.
_LEAVE = 1e-4
# About as many evaluations find both ends of an interval.
_EVALUATIONS = 300
# By how much the log-likelihood at an end may differ from where it should be.
_CLOSE = 1e-4
# So near, relative to the estimate, an end is that of the support.
_AT_EDGE = 1e-6


def profile(fit: Result, name: str, index: tuple[int, ...], drop: float) -> tuple[float, float]:
    """The ends of the interval of one entry, NaN where none was found.

    ``{c : max log L(params : entry = c) >= max log L - drop}``, with ``drop`` half the quantile of
    chi-squared with one degree of freedom (Venzon & Moolgavkar 1988, Applied Statistics 37:87).
    Each end is the extreme of the entry on the set where log L is high enough, which is sought
    along one path from the estimate by sequential quadratic programming (Kraft 1988). Where the
    likelihood never falls so far, the end is that of the support.
    """
    from scipy.optimize import minimize

    start, root, at, support = _prepared(fit, name, index)
    top, _, estimate, slope = at(start)
    direction = root.T @ slope
    steep = float(np.linalg.norm(direction))
    if not (np.isfinite(top) and steep > 0):
        return np.nan, np.nan
    goal, ends = max(top, fit.objective) - drop, []
    for sign in (-1.0, 1.0):

        def target(v: np.ndarray, sign: float = sign) -> tuple[float, np.ndarray]:
            _, _, value, slope = at(start + root @ v)
            return -sign * (value - estimate) / steep, -sign * (root.T @ slope) / steep

        found = minimize(
            target,
            sign * np.sqrt(2 * drop) * direction / steep,
            jac=True,
            method="SLSQP",
            constraints={
                "type": "ineq",
                "fun": lambda v: at(start + root @ v)[0] - goal,
                "jac": lambda v: root.T @ at(start + root @ v)[1],
            },
            options={"maxiter": 300, "ftol": 1e-9},
        )
        reached, _, end, _ = at(start + root @ found.x)
        ends.append(_judged(float(end), float(reached - goal), sign, estimate, support))
    return ends[0], ends[1]


def _judged(
    end: float, spare: float, sign: float, estimate: float, support: tuple[float, float]
) -> float:
    """An end where log L is what it should be, or the support's where it never falls so far."""
    edge = support[0] if sign < 0 else support[1]
    if spare > -_CLOSE and abs(end - edge) < _AT_EDGE * max(edge, estimate):
        return edge
    return end if abs(spare) < _CLOSE else np.nan


Evaluated = tuple[float, np.ndarray, float, np.ndarray]


def _prepared(
    fit: Result, name: str, index: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], Evaluated], tuple[float, float]]:
    """Where to begin, coordinates of unit information, the functions, the entry's support."""
    program, rows = fit.program, fit.rows
    params = away(program, jax.device_get(fit.settled), fit.boundary, _LEAVE)

    def unconstrained(params: Params, rows: Rows) -> jax.Array:
        return ravel_pytree(program.unconstrain(params, rows.arrays))[0]

    start = program.compiled("unconstrained", lambda: quick_jit(program, unconstrained))
    evaluated = program.compiled("profile", lambda: quick_jit(program, _at(program), _EVALUATIONS))
    place = _place(program, params, name, index)
    last: dict[bytes, Evaluated] = {}

    def at(u: np.ndarray) -> Evaluated:
        key = u.tobytes()
        if key not in last:
            last.clear()
            found = evaluated(jnp.asarray(u, rows.weights.dtype), place, params, rows)
            value, slope, entry, moves = (np.asarray(a, float) for a in found)
            fine = np.isfinite(value) and np.isfinite(slope).all() and np.isfinite(moves).all()
            zero = np.zeros_like(slope)
            possible = (float(value), slope, float(entry), moves)
            last[key] = possible if fine else (-1e10, zero, 0.0, zero)
        return last[key]

    matrix = fit.information.matrix
    free = {p.name: p for p in program.structure.free}
    bounded = np.concatenate(
        [np.full(free[n].size, free[n].constraint in BOUNDED) for n in sorted(free)]
    )
    diagonal = np.diagonal(matrix)
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1))
    scale = np.where(bounded, np.minimum(scale, 1), scale)
    values, vectors = np.linalg.eigh(matrix * scale[:, None] * scale)
    root = scale[:, None] * vectors / np.sqrt(np.maximum(values, 1e-2))
    kind = free[name].constraint
    upper = 1.0 if kind in ("unitinterval", "simplex") else np.inf
    lower = 0.0 if upper == 1.0 or "positive" in kind or kind == "nonnegative" else -np.inf
    return np.asarray(start(params, rows), float), root, at, (lower, upper)


def _at(program: Program) -> Callable:
    """The objective at u and its gradient, and an entry of the parameters and its gradient."""

    def of(vector: jax.Array, place: jax.Array, params: Params, rows: Rows) -> tuple:
        unravel = ravel_pytree(program.unconstrain(params, rows.arrays))[1]

        def constrained(vector: jax.Array) -> Params:
            return program.constrain(unravel(vector), params, rows.arrays)

        def objective(vector: jax.Array) -> jax.Array:
            return evaluate(program, Soft(), constrained(vector), rows).objective

        def entry(vector: jax.Array) -> jax.Array:
            return ravel_pytree(constrained(vector))[0][place]

        return (
            *jax.value_and_grad(objective)(vector),
            *jax.value_and_grad(entry)(vector),
        )

    return of


def _place(program: Program, params: Params, name: str, index: tuple[int, ...]) -> int:
    """Where an entry lies among all of them, sites in the order of their names."""
    before = sum(int(np.size(params[n])) for n in sorted(params) if n < name)
    shape = np.shape(params[name])
    return before + (int(np.ravel_multi_index(index, shape)) if shape else 0)
