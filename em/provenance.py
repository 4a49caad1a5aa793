"""Which inputs each output of a function depends on, read from its jaxpr.

NumPyro's ``ops.provenance`` follows names through a jaxpr; here the same walk also notes whether
the latent class is ever taken apart along its own axes (``z[subject]``, ``z[1:]``), in which case
one broadcasting value of z would not stand for a whole column of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
from numpyro.ops.provenance import track_deps_jaxpr

# Primitives that look inside an array along its axes, and so tell z[0] from z[1].
_TAKES_APART = frozenset(
    {"slice", "dynamic_slice", "dynamic_update_slice", "sort", "rev", "split", "top_k"}
    | {"cumsum", "cummax", "cummin", "cumprod", "cumlogsumexp", "argmax", "argmin"}
    | {"scan", "while", "cond"}
)


@dataclass(frozen=True)
class Dependencies:
    """``outputs`` maps each output's key to the names that it depends on."""

    outputs: dict[Any, frozenset[str]]
    unsafe: bool


def dependencies(
    function: Callable[..., dict],
    args: tuple,
    labels: Mapping[int, str],
    watched: str | None = None,
) -> Dependencies:
    """Trace ``function(*args)``, whose inputs are named by ``labels`` (id of a leaf to name)."""
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
    tainted = [watched is not None and watched in name for name in names]
    return Dependencies(outputs, _taken_apart(closed.jaxpr, tainted)[0])


def _taken_apart(jaxpr: Any, tainted_inputs: list[bool]) -> tuple[bool, list[bool]]:
    """Whether a tainted array is indexed or reordered; which outputs still are tainted."""
    tainted = {v for v, t in zip(jaxpr.invars, tainted_inputs, strict=True) if t}

    def mark(variables: Any) -> list[bool]:
        return [not hasattr(v, "val") and v in tainted for v in variables]

    for equation in jaxpr.eqns:
        marks = mark(equation.invars)
        if not any(marks):
            continue
        name = equation.primitive.name
        if name in _TAKES_APART or name.startswith("scatter"):
            return True, []
        if name == "gather":
            if marks[0]:
                return True, []
            continue  # an index: what comes out is a parameter's entry, no longer z itself
        last = equation.outvars[0].aval.ndim - 1
        if name == "concatenate" and equation.params["dimension"] != last:
            return True, []
        bodies = [getattr(p, "jaxpr", p) for p in equation.params.values()]
        bodies = [b for b in bodies if hasattr(b, "eqns") and len(b.invars) == len(marks)]
        if not bodies:
            tainted.update(equation.outvars)
        for body in bodies:
            unsafe, outputs = _taken_apart(body, marks)
            if unsafe:
                return True, []
            tainted.update(v for v, t in zip(equation.outvars, outputs, strict=False) if t)
    return False, mark(jaxpr.outvars)
