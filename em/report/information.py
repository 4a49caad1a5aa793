"""The observed information at a fit: standard errors, and whether the data decide at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ..classes.assignments import Assign
from ..classes.assignments.soft import Soft
from ..climb.boundary import boundary, inside
from ..machine.jit import every, quick_jit
from ..options import one_of
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..rows.over_rows import over_rows
from ..rows.streamed import Streamed, one_batch_of
from ..step import objective
from ..step.prior import curvature
from .directions import Directions, directions, feasible

# Beyond this many multiplications the information is only computed when asked for.
BUDGET = 5e9
_SOFT = Soft()


@dataclass(frozen=True)
class _AsTheyAre:
    """Responsibilities of soft EM that stay as they are when parameters move.

    The objective's derivatives are those of ``E[log p(x, z) | x]``: what labelled rows would tell.
    """

    name = "as they are"
    hard: bool = False

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        responsibilities = jax.lax.stop_gradient(_SOFT(log_joint)[0])
        there = responsibilities > 0
        return responsibilities, jnp.where(there, responsibilities * log_joint, 0).sum(0)


class Information(NamedTuple):
    """Minus the Hessian of the log-likelihood in unconstrained coordinates, and what follows.

    ``matrix`` (m, m); ``jacobian`` {site: (entries, m)} of the constrained parameters;
    ``boundary`` {site: bool} marks the entries at the edge of their support; ``directions`` are
    those in which estimates can move, and which of them are flat; ``gram()`` (m, m) is the rows'
    scores' (see `scores.gram`), worked out when it is needed.
    """

    matrix: np.ndarray
    gram: Callable[[], np.ndarray]
    jacobian: dict[str, np.ndarray]
    boundary: dict[str, np.ndarray]
    directions: Directions

    @property
    def regular(self) -> bool:
        """Whether it is finite, with curvature in every direction that a row feels."""
        return bool(np.isfinite(self.matrix).all()) and not self.directions.flat.any()


def cost(program: Program, rows: Rows | Streamed | None = None) -> float:
    """About how many multiplications the Hessian takes, of all batches if there are some."""
    size = sum(p.size for p in program.structure.free)
    times = rows.num_batches if isinstance(rows, Streamed) else 1
    return 6.0 * size * times * (program.work + program.num_rows * program.num_components)


def observed_information(
    program: Program, params: Params, rows: Rows | Streamed, gram: Callable[[], np.ndarray]
) -> Information:
    """Exact observed information by automatic differentiation, column by column.

    ``I(u) = -d^2 log L / du du'`` with u the unconstrained parameters (NumPyro's bijections).
    """
    inner = inside(program, jax.device_get(params))
    found = derivatives(program, inner, rows)
    slope = np.asarray(found.slope, float)
    bend = np.zeros(())
    if program.posterior:
        more, bend = curvature(program, inner, one_batch_of(rows))
        slope = slope + more

    def of(found: Derivatives) -> np.ndarray:
        matrix = -np.asarray(found.hessian, float) - bend
        return (matrix + matrix.T) / 2

    def complete() -> np.ndarray:
        return of(derivatives(program, inner, rows, _AsTheyAre()))

    jacobian = {n: np.asarray(j, float) for n, j in found.jacobian.items()}
    edges, sizes = boundary(program, params, rows), {p.name: p.size for p in program.structure.free}
    dtype = rows.weights.dtype
    movable = feasible(jacobian, edges, sizes, dtype)
    matrix = of(found)
    found_in = directions(matrix, slope, gram, complete, movable, dtype)
    return Information(matrix, gram, jacobian, edges, found_in)


class Derivatives(NamedTuple):
    """The log-likelihood, its gradient (m,) and Hessian (m, m); the Jacobian of the parameters.

    All in unconstrained coordinates, in the order of sorted site names.
    """

    value: jax.Array
    slope: jax.Array
    hessian: jax.Array
    jacobian: dict[str, jax.Array]


def derivatives(
    program: Program, params: Params, rows: Rows | Streamed, assign: Assign = _SOFT
) -> Derivatives:
    """The derivatives of the log-likelihood at some parameters; of what ``assign`` climbs."""

    def all_of_it(params: Params, rows: Rows) -> Derivatives:
        return _derivatives(program, params, rows, assign)

    size = sum(p.size for p in program.structure.free)
    key = ("information", assign)
    compiled = program.compiled(key, lambda: quick_jit(program, all_of_it, 6 * size))
    found = over_rows(compiled, params, rows)
    if isinstance(rows, Streamed):  # the Jacobian is no sum over rows
        found = found._replace(jacobian=compiled(params, rows.common).jacobian)
    return found


def _derivatives(
    program: Program, params: Params, rows: Rows, assign: Assign = _SOFT
) -> Derivatives:
    start, unravel = ravel_pytree(program.unconstrain(params, rows.arrays))

    def log_likelihood(vector: jax.Array) -> jax.Array:
        new = program.constrain(unravel(vector), params, rows.arrays)
        return objective.log_likelihood(program, new, rows, assign)

    def column(direction: jax.Array) -> tuple:
        return jax.jvp(jax.value_and_grad(log_likelihood), (start,), (direction,))

    def flat(vector: jax.Array) -> dict[str, jax.Array]:
        new = program.constrain(unravel(vector), params, rows.arrays)
        return {n: v.ravel() for n, v in new.items()}

    if not start.size:
        return Derivatives(log_likelihood(start), start, jnp.zeros((0, 0)), jax.jacfwd(flat)(start))
    eye = jnp.eye(start.size, dtype=start.dtype)
    (values, slopes), (_, hessian) = every(program, start.size)(column)(eye)
    return Derivatives(values[0], slopes[0], hessian, jax.jacfwd(flat)(start))


def covariance(information: Information, kind: str = "observed") -> np.ndarray:
    """(m, m) the inverse information; flat directions left out (their variance is infinite).

    ``"sandwich"`` is ``I^{-1} G I^{-1}`` with G the scores' Gram matrix (White 1982, Econometrica
    50:1), which holds where the model does not.

    Raises:
        ValueError: an unknown kind.
    """
    one_of("kind", kind, ("observed", "sandwich"))
    bread = information.directions.covariance
    return bread if kind == "observed" else bread @ information.gram() @ bread


def standard_errors(
    information: Information, shapes: dict[str, tuple], kind: str = "observed"
) -> dict[str, Any]:
    """Delta-method standard errors by site; entries without one are masked (see `reasons`)."""
    variance = covariance(information, kind)
    unavailable = reasons(information, shapes)
    errors = {}
    for name, jacobian in information.jacobian.items():
        jacobian = np.nan_to_num(jacobian)
        squared = np.einsum("ij,jk,ik->i", jacobian, variance, jacobian)
        value = np.sqrt(np.maximum(squared, 0)).reshape(shapes[name])
        mask = unavailable[name] != ""
        errors[name] = np.ma.MaskedArray(np.where(mask, 0, value), mask=mask)
    return errors


def reasons(information: Information, shapes: dict[str, tuple]) -> dict[str, np.ndarray]:
    """Why an entry has no standard error: ``"boundary"``, ``"not identified"``, ... or ``""``."""
    found = {}
    unavailable = not np.isfinite(information.matrix).all()
    for name, jacobian in information.jacobian.items():
        if unavailable:
            found[name] = np.full(shapes[name], "no finite information", object)
            continue
        flat = information.directions.undetermined(jacobian).reshape(shapes[name])
        edge = information.boundary[name]
        found[name] = np.where(edge, "boundary", np.where(flat, "not identified", ""))
    return found


def of_functions(
    information: Information, slopes: dict[str, np.ndarray], kind: str
) -> tuple[np.ma.MaskedArray, np.ndarray]:
    """(q,) delta-method standard errors of functions of the parameters, and why one is missing.

    ``slopes`` {parameter: (q, entries)} are their derivatives; of linear ones this is exact.
    """
    touched = sum((np.abs(s) @ information.boundary[n].ravel()) for n, s in slopes.items())
    jacobian = sum(s @ information.jacobian[n] for n, s in slopes.items())
    flat = information.directions.undetermined(jacobian)
    note = np.where(touched > 0, "boundary", np.where(flat, "not identified", ""))
    if not np.isfinite(information.matrix).all():
        note = np.full(len(flat), "no finite information")
    squared = np.einsum("ij,jk,ik->i", jacobian, covariance(information, kind), jacobian)
    error = np.sqrt(np.maximum(squared, 0))
    return np.ma.MaskedArray(np.where(note == "", error, 0), mask=note != ""), note.astype(object)
