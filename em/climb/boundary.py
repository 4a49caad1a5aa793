"""Estimates at the edge of their support, and where they are moved to for derivatives.

Boundaries are true optima: a probability of 0 or 1, a rate of 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..rows.streamed import Streamed
from ..step.objective import objective_at

BOUNDED = {"unitinterval", "simplex", "interval"}
POSITIVE = {"positive", "nonnegative", "softpluspositive"}
# Probabilities below one of these, all of them together, are tried at 0.
_VANISHING = (1e-3, 1e-5, 1e-7)


def settled(program: Program, params: Params, rows: Rows | Streamed) -> Params:
    """The parameters with probabilities on their way to 0 or 1 put there.

    EM nears an edge by a factor a step, and stops when the objective has nothing to gain any more.
    A probability is at the edge if the objective is no lower there, up to rounding: if it accounts
    for less than a millionth of a row.
    """
    free = {p.name: p for p in program.structure.free}
    values: dict[str, Any] = {n: np.asarray(params[n]) for n in free}
    found = {n: v for n, v in values.items() if free[n].constraint in ("unitinterval", "simplex")}

    def objective(params: Params) -> float:
        return objective_at(program, jax.tree.map(jnp.asarray, params), rows)

    here = None
    for cutoff in _VANISHING:
        new: dict[str, Any] = {n: _rounded(v, cutoff, free[n].constraint) for n, v in found.items()}
        if all(np.array_equal(new[n], v) for n, v in found.items()):
            continue
        if here is None:
            here = objective(params)
            rounding = 4 * float(np.finfo(rows.weights.dtype).eps) * abs(here)
        if objective({**params, **new}) >= here - max(1e-6, rounding):
            return {**params, **{n: jnp.asarray(v) for n, v in new.items()}}
    return params


def _rounded(value: np.ndarray, cutoff: float, constraint: str) -> np.ndarray:
    """Probabilities nearer to 0 or 1 than the cutoff, if not at the edge already, put there."""
    tiny = _edge(value.dtype)
    new = np.where((value > tiny) & (value < cutoff), 0, value)
    if constraint == "unitinterval":
        return np.where((value < 1 - tiny) & (value > 1 - cutoff), 1, new).astype(value.dtype)
    changed = (new != value).any(-1, keepdims=True)
    return np.where(changed, new / new.sum(-1, keepdims=True), value).astype(value.dtype)


def boundary(program: Program, params: Params, rows: Rows | Streamed) -> dict[str, np.ndarray]:
    """Which entries lie at the edge of their support (a probability of 0 or 1, a rate of 0).

    Or at the bound that numeric M-steps keep where the likelihood rises towards infinity.
    """
    numeric = {n for b in program.blocks if b.numeric for n in b.parameters}
    ceiling = program.ceiling(rows.weights.dtype)
    marks = {}
    for p in program.structure.free:
        value = np.asarray(params[p.name])
        tiny = _edge(value.dtype)
        marks[p.name] = mark = np.zeros(value.shape, bool)
        if p.constraint == "simplex" and value.shape[-1] == 1:
            continue  # the one point of its support
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


def away(
    program: Program, params: Params, marks: Mapping[str, np.ndarray], distance: float
) -> Params:
    """The parameters, those entries that are marked moved so far off the edge."""
    moved = inside(program, params, distance)
    new: dict[str, Any] = dict(params)
    for p in program.structure.free:
        mark, value = marks[p.name], np.asarray(params[p.name])
        if mark.any():
            value = np.where(mark, moved[p.name], value)
            if p.constraint == "simplex":
                value = value / value.sum(-1, keepdims=True)
        new[p.name] = value
    return new
