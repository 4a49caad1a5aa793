"""Which inputs each output of a function depends on, read from its jaxpr.

NumPyro's ``ops.provenance`` follows names through a jaxpr; a second walk looks for operations that
may combine values of the latent class along the rows (``z[subject]``, ``z[1:]``, a sum over rows),
in which case one broadcasting value of z might not stand for a whole column of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
from numpyro.ops.provenance import track_deps_jaxpr

_ORDERED = frozenset({"sort", "rev", "top_k", "split", "dynamic_update_slice"})
_LOOPS = frozenset({"scan", "while", "cond"})


@dataclass(frozen=True)
class Dependencies:
    """``outputs`` maps each output's key to the names that it depends on.

    ``mixing``: a value made from the watched input may be combined along the axis of the rows.
    """

    outputs: dict[Any, frozenset[str]]
    mixing: bool


def dependencies(
    function: Callable[..., dict],
    args: tuple,
    labels: Mapping[int, str],
    watched: frozenset[str] = frozenset(),
    rows: set[int] | None = None,
) -> Dependencies:
    """Trace ``function(*args)``, whose inputs are named by ``labels`` (id of a leaf to name).

    Axes of the lengths ``rows`` may be the rows' of the inputs that are ``watched``.
    """
    leaves = jax.tree.leaves(args)
    names = [
        frozenset({labels[id(leaf)]}) if id(leaf) in labels else frozenset() for leaf in leaves
    ]
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
    found = track_deps_jaxpr(closed.jaxpr, names)
    outputs: dict[Any, frozenset[str]] = {}
    flat = iter(found)
    for key in sorted(shape):
        reached = [next(flat) for _ in jax.tree.leaves(shape[key])]
        outputs[key] = frozenset().union(*reached)
    tainted = [bool(watched & name) for name in names]
    return Dependencies(outputs, _mixes(closed.jaxpr, tainted, rows or {1})[0])


def _mixes(jaxpr: Any, tainted_inputs: list[bool], rows: set[int]) -> tuple[bool, list[bool]]:
    """Whether a tainted value may be combined along the rows; which outputs are tainted."""
    tainted = {v for v, t in zip(jaxpr.invars, tainted_inputs, strict=True) if t}

    def mark(variables: Any) -> list[bool]:
        return [not hasattr(v, "val") and v in tainted for v in variables]

    for equation in jaxpr.eqns:
        marks = mark(equation.invars)
        if not any(marks):
            continue
        bodies = [getattr(p, "jaxpr", p) for p in equation.params.values()]
        bodies = [b for b in bodies if hasattr(b, "eqns") and len(b.invars) == len(marks)]
        if equation.primitive.name in _LOOPS or (not bodies and _may_mix(equation, marks, rows)):
            return True, []
        if not bodies:
            tainted.update(equation.outvars)
        for body in bodies:
            mixing, outputs = _mixes(body, marks, rows)
            if mixing:
                return True, []
            tainted.update(v for v, t in zip(equation.outvars, outputs, strict=False) if t)
    return False, mark(jaxpr.outvars)


def _may_mix(equation: Any, marks: list[bool], rows: set[int]) -> bool:
    name, params = equation.primitive.name, equation.params
    shape = equation.invars[0].aval.shape
    if name in _ORDERED or name.startswith(("cum", "scatter")):
        return True
    if name == "gather":
        indexed = params["dimension_numbers"].start_index_map
        return marks[0] and any(shape[axis] in rows for axis in indexed)
    if name == "dynamic_slice":
        return marks[0]
    if name == "squeeze":  # z[0] of a z that has one value already
        return equation.outvars[0].aval.shape == ()
    if name == "slice":
        kept = equation.outvars[0].aval.shape
        return any(a != b and a in rows for a, b in zip(shape, kept, strict=True))
    if name == "concatenate":
        axis = params["dimension"]
        joined = [v.aval.shape[axis] for v, t in zip(equation.invars, marks, strict=True) if t]
        return axis != len(shape) - 1 and bool(rows.intersection(joined))
    if name.startswith(("reduce_", "arg")) and "axes" in params:
        return any(shape[axis] in rows for axis in params["axes"])
    if name == "dot_general":
        contracted = params["dimension_numbers"][0]
        sizes = [
            v.aval.shape[axis]
            for v, t, axes in zip(equation.invars, marks, contracted, strict=True)
            if t
            for axis in axes
        ]
        return bool(rows.intersection(sizes))
    return False
