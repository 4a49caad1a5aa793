"""The observed information at a fit: standard errors, and whether the data decide at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from . import objective
from .prior import curvature
from .program import Params, Program
from .quick import quick_jit
from .rows import Rows
from .scores import scaling

# Beyond this many multiplications the information is only computed when asked for.
BUDGET = 5e9
# Squared scores this small along a flat direction count as none (information is scaled to 1).
_NO_SCORE = 1e-4
BOUNDED = {"unitinterval", "simplex", "interval"}
POSITIVE = {"positive", "nonnegative", "softpluspositive"}


class Information(NamedTuple):
    """Minus the Hessian of the log-likelihood in unconstrained coordinates, and what follows.

    ``matrix`` (m, m); ``jacobian`` {site: (entries, m)} of the constrained parameters;
    ``boundary`` {site: bool} marks the entries at the edge of their support; ``null`` (m, q) are
    directions in which the likelihood is flat, in coordinates scaled to unit information;
    ``gram()`` (m, m) is the rows' scores' (see `scores.gram`), worked out when it is needed.
    """

    matrix: np.ndarray
    gram: Callable[[], np.ndarray]
    jacobian: dict[str, np.ndarray]
    boundary: dict[str, np.ndarray]
    null: np.ndarray

    @property
    def regular(self) -> bool:
        """Whether it is finite, with curvature in every direction that a row feels."""
        return bool(np.isfinite(self.matrix).all()) and not self.null.shape[1]


def cost(program: Program) -> float:
    """About how many multiplications the Hessian takes."""
    size = sum(p.size for p in program.structure.free)
    return 6.0 * size * (program.work + program.num_rows * program.num_components)


def boundary(program: Program, params: Params, rows: Rows) -> dict[str, np.ndarray]:
    """Which entries lie at the edge of their support (a probability of 0 or 1, a rate of 0).

    Or at the bound that numeric M-steps keep where the likelihood rises towards infinity.
    """
    numeric = {n for b in program.blocks if b.numeric for n in b.parameters}
    ceiling = program.ceiling(rows.weights.dtype)
    marks = {}
    for p in program.structure.free:
        value = np.asarray(params[p.name])
        tiny = _edge(value.dtype)
        mark = np.zeros(value.shape, bool)
        if p.constraint in BOUNDED and p.constraint != "interval":
            mark = (value <= tiny) | (value >= 1 - tiny)
        elif p.constraint in POSITIVE:
            mark = value <= tiny
            if p.name in numeric:
                mark |= np.abs(np.log(value)) >= 0.999 * float(program.limit(p.name, rows))
        marks[p.name] = mark | (value >= 0.999 * ceiling[p.name])
    return marks


def _edge(dtype: Any) -> float:
    return 1e-10 if np.finfo(dtype).bits > 32 else 1e-5


def inside(program: Program, params: Params, hair: float | None = None) -> Params:
    """The parameters, moved off the edges of their supports by a hair; NumPy's arrays stay so."""
    new = {}
    for p in program.structure.free:
        value = params[p.name]
        array = value.__array_namespace__()
        tiny = _edge(value.dtype) if hair is None else hair
        if p.constraint in BOUNDED and p.constraint != "interval":
            value = array.clip(value, tiny, 1 - max(tiny, float(jnp.finfo(value.dtype).eps)))
            if p.constraint == "simplex":
                value = value / value.sum(-1, keepdims=True)
        elif p.constraint in POSITIVE:
            value = array.maximum(value, tiny)
        new[p.name] = value
    return new


def observed_information(
    program: Program, params: Params, rows: Rows, gram: Callable[[], np.ndarray]
) -> Information:
    """Exact observed information by automatic differentiation, column by column.

    ``I(u) = -d^2 log L / du du'`` with u the unconstrained parameters (NumPyro's bijections). A
    direction is flat if there is no curvature along it and no row's score either: a density with
    a corner (Laplace) has no curvature, yet its rows do feel the direction.
    """
    inner = inside(program, jax.device_get(params))
    found = derivatives(program, inner, rows)
    matrix = -np.asarray(found.hessian, float)
    if program.posterior:
        matrix = matrix - curvature(program, inner, rows)
    matrix = (matrix + matrix.T) / 2
    jacobian = {n: np.asarray(j, float) for n, j in found.jacobian.items()}
    null = _null_space(matrix, rows.weights.dtype)
    if null.shape[1]:
        directions = null * scaling(matrix)[:, None]
        felt = np.einsum("iq,ij,jq->q", directions, gram(), directions)
        null = null[:, felt < _NO_SCORE]
    return Information(matrix, gram, jacobian, boundary(program, params, rows), null)


class Derivatives(NamedTuple):
    """The log-likelihood, its gradient (m,) and Hessian (m, m); the Jacobian of the parameters.

    All in unconstrained coordinates, in the order of sorted site names.
    """

    value: jax.Array
    slope: jax.Array
    hessian: jax.Array
    jacobian: dict[str, jax.Array]


def derivatives(program: Program, params: Params, rows: Rows) -> Derivatives:
    """The derivatives of the log-likelihood at some parameters."""

    def all_of_it(params: Params, rows: Rows) -> Derivatives:
        return _derivatives(program, params, rows)

    compiled = program.compiled("information", lambda: quick_jit(program, all_of_it))
    return compiled(params, rows)


def _derivatives(program: Program, params: Params, rows: Rows) -> Derivatives:
    names = tuple(p.name for p in program.structure.free)
    start, unravel = ravel_pytree(program.unconstrain(params, rows.arrays, names))

    def log_likelihood(vector: jax.Array) -> jax.Array:
        new = program.constrain(unravel(vector), params, rows.arrays)
        return objective.log_likelihood(program, new, rows)

    def column(direction: jax.Array) -> tuple:
        return jax.jvp(jax.value_and_grad(log_likelihood), (start,), (direction,))

    def flat(vector: jax.Array) -> dict[str, jax.Array]:
        new = program.constrain(unravel(vector), params, rows.arrays)
        return {n: v.ravel() for n, v in new.items()}

    if not start.size:
        return Derivatives(log_likelihood(start), start, jnp.zeros((0, 0)), jax.jacfwd(flat)(start))
    eye = jnp.eye(start.size, dtype=start.dtype)
    (values, slopes), (_, hessian) = jax.lax.map(column, eye)
    return Derivatives(values[0], slopes[0], hessian, jax.jacfwd(flat)(start))


def _null_space(matrix: np.ndarray, dtype: Any) -> np.ndarray:
    """(m, q) directions of no curvature, in coordinates scaled to a unit diagonal."""
    size = matrix.shape[0]
    if size == 0 or not np.isfinite(matrix).all():
        return np.zeros((size, 0))
    scale = scaling(matrix)
    values, vectors = np.linalg.eigh(matrix * scale[:, None] * scale)
    limit = 1e-9 if np.finfo(np.dtype(dtype)).bits > 32 else 1e-4
    return vectors[:, values < limit]


def covariance(information: Information, kind: str = "observed") -> np.ndarray:
    """(m, m) the inverse information; flat directions left out (their variance is infinite).

    ``"sandwich"`` is ``I^{-1} G I^{-1}`` with G the scores' Gram matrix (White 1982, Econometrica
    50:1), which holds where the model does not.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in ("observed", "sandwich"):
        raise ValueError(f"kind must be 'observed' or 'sandwich', not {kind!r}")
    matrix = information.matrix
    if not np.isfinite(matrix).all():
        return np.zeros_like(matrix)
    scale = scaling(matrix)
    values, vectors = np.linalg.eigh(matrix * scale[:, None] * scale)
    inverse = np.where(values > 1e-12, 1 / np.where(values > 1e-12, values, 1), 0)
    bread = (vectors * inverse) @ vectors.T * scale[:, None] * scale
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
    scale = scaling(information.matrix)
    unavailable = not np.isfinite(information.matrix).all()
    for name, jacobian in information.jacobian.items():
        if unavailable:
            found[name] = np.full(shapes[name], "no finite information", object)
            continue
        scaled = jacobian * scale
        length = np.linalg.norm(scaled, axis=1, keepdims=True)
        share = np.abs((scaled / np.where(length > 0, length, 1)) @ information.null)
        flat = (share > 1e-3).any(-1).reshape(shapes[name])
        edge = information.boundary[name]
        found[name] = np.where(edge, "boundary", np.where(flat, "not identified", ""))
    return found
