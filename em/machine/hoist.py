"""What a function of parameters and data takes from the data alone, worked out once.

The log factorials of counts, for one, cost more than the rest of a Poisson density, at every step;
and fused into a loop over components they are even computed for each of those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from .traced import needed, variables

# Primitives that cost more than reading a result of theirs.
_DEAR = frozenset(
    [
        *("lgamma", "digamma", "polygamma", "igamma", "igammac", "regularized_incomplete_beta"),
        *("bessel_i0e", "bessel_i1e", "erf", "erfc", "erf_inv", "log", "log1p", "exp", "exp2"),
        *("expm1", "pow", "tanh", "logistic", "sin", "cos", "tan", "sort", "cumsum"),
        *("cholesky", "triangular_solve", "while", "scan"),
    ]
)
# Only the shape or type of their one operand changes: what they make is not worth keeping.
_RESHAPED = frozenset(
    ("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "convert_element_type", "copy")
)


class Split(NamedTuple):
    """A function in two, of the same operations: ``rest(first, second, ahead(data), data)``.

    ``signature`` are the shapes and types of ``first`` that it holds for.
    """

    ahead: Callable[[Any], list[jax.Array]]
    rest: Callable[[Any, Any, Sequence[jax.Array], Any], jax.Array]
    signature: Any


def split(function: Callable, first: Any, second: Any, data: Any) -> Split | None:
    """Split ``function(first, second, data)``, which returns one array.

    The arguments serve by shape and type. None if nothing dear depends on the data alone.
    """
    jaxpr = jax.make_jaxpr(function)(first, second, data)
    equations, number = jaxpr.jaxpr.eqns, len(jax.tree.leaves(data))
    if any(e.effects for e in equations):  # which half would have them?
        return None
    inputs = jaxpr.jaxpr.invars
    own, given = inputs[: len(inputs) - number], inputs[len(inputs) - number :]

    known: set[Any] = {*given, *jaxpr.jaxpr.constvars}
    dear: set[Any] = set()
    makers: dict[Any, Any] = {}
    for equation in equations:
        read = variables(equation.invars)
        if not known.issuperset(read):
            continue
        known.update(equation.outvars)
        makers.update(dict.fromkeys(equation.outvars, equation))
        if _is_dear(equation) or dear.intersection(read):
            dear.update(equation.outvars)
    outputs = variables(jaxpr.jaxpr.outvars)
    wanted = [e for e in equations if not known.issuperset(e.outvars)]
    used = [v for e in wanted for v in variables(e.invars)] + outputs
    kept = list(dict.fromkeys(_before_reshaping(v, makers) for v in used if v in dear))
    if not kept:
        return None
    first_half = _part(jaxpr, needed(equations, kept), given, kept)
    rest_of_it = needed(equations, outputs, kept)
    second_half = _part(jaxpr, rest_of_it, [*own, *kept, *given], jaxpr.jaxpr.outvars)

    def ahead(data: Any) -> list[jax.Array]:
        return first_half(*jax.tree.leaves(data))

    def rest(first: Any, second: Any, found: Sequence[jax.Array], data: Any) -> jax.Array:
        return second_half(*jax.tree.leaves((first, second)), *found, *jax.tree.leaves(data))[0]

    return Split(ahead, rest, signature(first))


def signature(tree: Any) -> Any:
    """The structure, shapes and types of a tree of arrays."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((v.shape, v.dtype) for v in leaves)


def _is_dear(equation: Any) -> bool:
    bodies = (getattr(p, "jaxpr", p) for p in equation.params.values())
    inner = (e for body in bodies for e in getattr(body, "eqns", ()))
    return equation.primitive.name in _DEAR or any(_is_dear(e) for e in inner)


def _before_reshaping(variable: Any, makers: dict) -> Any:
    while makers[variable].primitive.name in _RESHAPED:
        (variable,) = variables(makers[variable].invars)
    return variable


def _part(
    whole: ClosedJaxpr, equations: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any]
) -> Callable[..., list[jax.Array]]:
    """Some of the equations as a function."""
    own = {"invars": list(inputs), "outvars": list(outputs), "eqns": list(equations)}
    return jaxpr_as_fun(ClosedJaxpr(whole.jaxpr.replace(**own), whole.consts))
