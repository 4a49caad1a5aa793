"""A function of pytrees of arrays traced once; later traces replay its jaxpr."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import jaxpr_as_fun


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
            kept[key] = jaxpr_as_fun(closed), jax.tree.structure(out)
        replay, out_tree = kept[key]
        return jax.tree.unflatten(out_tree, replay(*leaves))

    return run


def kind_of(value: Any) -> jax.ShapeDtypeStruct:
    """Shape and dtype of an array, of NumPy, JAX or a trace."""
    aval = jax.typeof(value)
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type)
