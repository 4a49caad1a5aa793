"""Derivatives where a density's argument lies exactly on the edge of its domain.

In ``Binomial(J, p * z)`` the class z = 0 has probability 0, whatever p is: the density of its rows
is a constant, 0 or minus infinity. Automatic differentiation multiplies ``d(p * z) / dp = 0`` by
``d log(q) / dq = 1 / 0`` there and gets NaN. So these functions are differentiated as constants
where they are singular, to every order; their values stay what they are. A free parameter that
itself lies at the edge is another matter: `boundary.inside` moves it off before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from ..machine.arrays import product
from ..machine.traced import needed


def differentiable(function: Callable, *args: Any, in_parts: bool = False) -> Any:
    """``function(*args)``, whose derivatives are finite where logarithms and quotients are not.

    Functions with derivatives of their own keep these, except products with a logarithm (``x log
    y``); loops and branches of control flow are left as they are. ``in_parts``: rows lie on several
    devices, so that triangular systems are solved by a product with the inverse: LAPACK's routine
    would be given the right-hand sides of all rows on every device.
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
    found = _evaluate(closed.jaxpr, closed.consts, jax.tree.leaves(args), in_parts)
    return jax.tree.unflatten(jax.tree.structure(shape), found)


def _evaluate(jaxpr: Any, consts: Any, args: Any, in_parts: bool) -> list[Any]:
    """The outputs of a jaxpr, its singular functions replaced."""
    jaxpr = jaxpr.replace(eqns=needed(jaxpr.eqns, jaxpr.outvars))
    known: dict[Any, Any] = {
        **dict(zip(jaxpr.constvars, consts, strict=True)),
        **dict(zip(jaxpr.invars, args, strict=True)),
    }

    def values(atoms: Any) -> list[Any]:
        return [a.val if hasattr(a, "val") else known[a] for a in atoms]

    read = {a for e in jaxpr.eqns for a in e.invars if not hasattr(a, "val")}
    read |= {a for a in jaxpr.outvars if not hasattr(a, "val")}
    for special, run in groupby(jaxpr.eqns, partial(_is_special, in_parts)):
        equations = list(run)
        if special:
            for equation in equations:
                found = _instead(equation, values(equation.invars), in_parts)
                known.update(zip(equation.outvars, found, strict=True))
            continue
        made = [v for e in equations for v in e.outvars if v in read]
        atoms = dict.fromkeys(a for e in equations for a in e.invars if not hasattr(a, "val"))
        given = [a for a in atoms if a not in set(made)]
        part = {"constvars": [], "invars": given, "outvars": made, "eqns": equations}
        found = jaxpr_as_fun(ClosedJaxpr(jaxpr.replace(**part), ()))(*values(given))
        known.update(zip(made, found, strict=True))
    return values(jaxpr.outvars)


def _is_special(in_parts: bool, equation: Any) -> bool:
    name = equation.primitive.name
    if in_parts and name == "triangular_solve":
        matrix, given = (v.aval.shape for v in equation.invars)
        return bool(max(given) > max(matrix))
    if name == "custom_jvp_call":
        return _is_product_with_log(_body(equation)[0])
    floating = jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.floating)
    return name in _CALLS or (name in _SINGULAR and floating)


def _instead(equation: Any, given: list[Any], in_parts: bool) -> list[Any]:
    if equation.primitive.name == "triangular_solve":
        return [_solved(*given, **equation.params)]
    if equation.primitive.name in _SINGULAR:
        return [_SINGULAR[equation.primitive.name](*given)]
    return _evaluate(*_body(equation), given, in_parts)


def _solved(matrix: jax.Array, given: jax.Array, *, left_side: bool, **kind: Any) -> jax.Array:
    """``op(A)^-1 B``, or ``B op(A)^-1``."""
    identity = jnp.broadcast_to(jnp.eye(matrix.shape[-1], dtype=matrix.dtype), matrix.shape)
    inverse = lax.linalg.triangular_solve(matrix, identity, left_side=left_side, **kind)
    pair = (inverse, given) if left_side else (given, inverse)
    return product(*pair)


def _body(equation: Any) -> tuple[Any, Any]:
    """The jaxpr that an equation calls, and its constants."""
    called = equation.params["call_jaxpr" if "call_jaxpr" in equation.params else "jaxpr"]
    return getattr(called, "jaxpr", called), getattr(called, "consts", ())


_CALLS = frozenset(("jit", "pjit"))
_PRODUCT = frozenset(
    [
        *("mul", "neg", "select_n", "ne", "eq", "or", "and", "not", *_CALLS),
        *("broadcast_in_dim", "convert_element_type", "log", "log1p"),
    ]
)


def _is_product_with_log(jaxpr: Any) -> bool:
    """Whether a function is made of products, choices and logarithms: ``xlogy`` and the like."""
    names = set(_names(jaxpr))
    return names <= _PRODUCT and bool(names & {"log", "log1p"})


def _names(jaxpr: Any) -> list[str]:
    found = []
    for equation in jaxpr.eqns:
        found.append(equation.primitive.name)
        if equation.primitive.name in _CALLS:
            found += _names(_body(equation)[0])
    return found


@jax.custom_jvp
def log(x: jax.Array) -> jax.Array:
    """log x, constant up to the smallest normal number: NumPyro clamps probabilities to that."""
    return lax.log(x)


@log.defjvp
def _log_jvp(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    (x,), (t,) = primals, tangents
    edge = x <= jnp.finfo(x.dtype).tiny
    return log(x), _unless(edge, t / jnp.where(edge, 1, x))


@jax.custom_jvp
def log1p(x: jax.Array) -> jax.Array:
    """log(1 + x), constant at -1."""
    return lax.log1p(x)


@log1p.defjvp
def _log1p_jvp(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    (x,), (t,) = primals, tangents
    edge = x <= -1
    return log1p(x), _unless(edge, t / jnp.where(edge, 1, 1 + x))


@jax.custom_jvp
def div(x: jax.Array, y: jax.Array) -> jax.Array:
    """x / y, constant where y is 0 (up to the smallest normal number)."""
    return lax.div(x, y)


@div.defjvp
def _div_jvp(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    (x, y), (tx, ty) = primals, tangents
    edge = jnp.abs(y) <= jnp.finfo(y.dtype).tiny
    inside = jnp.where(edge, 1, y)
    return div(x, y), _unless(edge, tx / inside - (x / inside) * (ty / inside))


def _unless(edge: jax.Array, tangent: jax.Array) -> jax.Array:
    return jnp.where(edge, jnp.zeros_like(tangent), tangent)


_SINGULAR: dict[str, Callable] = {"log": log, "log1p": log1p, "div": div}
