"""A function of pytrees of arrays traced once; later traces replay its jaxpr."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun


def traced(function: Callable) -> Callable:
    """The same function, traced once for each kind of arguments.

    Where it closes over values of another trace it is not kept.
    """
    kept: dict[Any, tuple[Callable, Any]] = {}

    def run(*args: Any) -> Any:
        leaves, tree = jax.tree.flatten(args)
        kinds = [kind_of(v) for v in leaves]
        key = tree, tuple((k.shape, k.dtype, k.weak_type) for k in kinds)
        if key not in kept:
            given = jax.tree.unflatten(tree, kinds)
            closed, out = jax.make_jaxpr(function, return_shape=True)(*given)
            if any(isinstance(c, jax.core.Tracer) for c in closed.consts):
                return function(*args)
            whole = closed.jaxpr.replace(eqns=needed(closed.jaxpr.eqns, closed.jaxpr.outvars))
            replayed = jaxpr_as_fun(ClosedJaxpr(whole, closed.consts))
            kept[key] = replayed, jax.tree.structure(out)
        replay, out_tree = kept[key]
        return jax.tree.unflatten(out_tree, replay(*leaves))

    return run


def needed[E: Any](
    equations: Sequence[E], wanted: Sequence[Any], given: Collection[Any] = ()
) -> list[E]:
    """The equations that make what is ``wanted`` of what is ``given``, or that have an effect."""
    missing, found = set(variables(wanted)).difference(given), []
    for equation in reversed(equations):
        if equation.effects or missing.intersection(equation.outvars):
            found.append(equation)
            missing.update(v for v in variables(equation.invars) if v not in given)
    return found[::-1]


def variables(atoms: Sequence[Any]) -> list[Any]:
    """Those that are no literals."""
    return [v for v in atoms if not isinstance(v, Literal)]


def kind_of(value: Any) -> jax.ShapeDtypeStruct:
    """Shape and dtype of an array, of NumPy, JAX or a trace."""
    aval = jax.typeof(value)
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type)
