"""A jaxpr as one list of equations: calls written out, and of a loop what does not change in it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.extend.core import Literal

from ..traced import needed, variables

# Calls that only wrap a jaxpr: the parameter that holds it.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "remat": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    "custom_vmap_call": "call",
}


class Variable:
    """A value within a call; each call has its own."""

    def __init__(self, aval: Any) -> None:
        self.aval = aval


class Equation(NamedTuple):
    """As JAX's, of variables of its own."""

    primitive: Any
    params: dict[str, Any]
    invars: list[Any]
    outvars: list[Any]
    effects: Any


class Flat(NamedTuple):
    """Equations from ``inputs`` to ``outputs``, and ``known``: values of variables."""

    inputs: list[Any]
    equations: list[Equation]
    outputs: list[Any]
    known: dict[Any, Any]


def flat(closed: Any) -> Flat:
    """The equations that the results depend on, or that have an effect; no call is left."""
    jaxpr, consts = _parts(closed)
    known = dict(zip(jaxpr.constvars, consts, strict=True))
    names: dict[Any, Any] = {}
    same: dict[Any, Any] = {}
    equations = list(_once(_written_out(jaxpr, names, known), same))
    outputs = [_named(_named(v, names), same) for v in jaxpr.outvars]
    return Flat(list(jaxpr.invars), needed(equations, outputs), outputs, known)


def parted(whole: Flat, still: int) -> tuple[Flat, Flat]:
    """What depends on the first ``still`` inputs alone, and the rest.

    The first returns what the second takes before its own inputs.
    """
    given = whole.inputs[:still]
    same = {*given, *whole.known}
    before: list[Equation] = []
    after: list[Equation] = []
    for equation in whole.equations:
        fixed = not equation.effects and same.issuperset(variables(equation.invars))
        (before if fixed else after).append(equation)
        if fixed:
            same.update(equation.outvars)
    made = {v for e in before for v in e.outvars}
    read = [v for e in after for v in variables(e.invars)] + variables(whole.outputs)
    kept = [v for v in dict.fromkeys(read) if v in made]
    return (
        Flat(given, before, kept, whole.known),
        Flat([*kept, *whole.inputs], after, whole.outputs, whole.known),
    )


def _once(equations: Iterator[Equation], same: dict[Any, Any]) -> Iterator[Equation]:
    """What is worked out again is what it was the first time: ``same`` {variable: that}."""
    made: dict[Hashable, list[Any]] = {}
    for equation in equations:
        invars = [_named(v, same) for v in equation.invars]
        key = _key(equation, invars)
        first = None if key is None else made.get(key)
        if first is not None:
            same.update(zip(equation.outvars, first, strict=True))
            continue
        if key is not None:
            made[key] = equation.outvars
        yield equation._replace(invars=invars)


def _key(equation: Equation, invars: list[Any]) -> Hashable:
    """What equations have in common that make the same; None where that is not told."""
    if equation.effects:
        return None
    read = tuple(
        (np.asarray(v.val).tobytes(), v.aval) if isinstance(v, Literal) else v for v in invars
    )
    key = (equation.primitive, tuple(sorted(equation.params.items())), read)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _parts(closed: Any) -> tuple[Any, Sequence[Any]]:
    return getattr(closed, "jaxpr", closed), getattr(closed, "consts", ())


def _named(atom: Any, names: dict[Any, Any]) -> Any:
    return atom if isinstance(atom, Literal) else names.get(atom, atom)


def _written_out(jaxpr: Any, names: dict[Any, Any], known: dict[Any, Any]) -> Iterator[Equation]:
    """``names`` are those of the jaxpr's variables here; calls add to ``known``."""
    for equation in jaxpr.eqns:
        invars = [_named(v, names) for v in equation.invars]
        where = _CALLS.get(equation.primitive.name)
        if where is None or where not in equation.params:
            outvars = [_named(v, names) for v in equation.outvars]
            yield Equation(equation.primitive, equation.params, invars, outvars, equation.effects)
            continue
        inner, consts = _parts(equation.params[where])
        own = dict(zip(inner.invars, invars, strict=True))
        for v, value in zip(inner.constvars, consts, strict=True):
            own[v] = Variable(v.aval)
            known[own[v]] = value
        for e in inner.eqns:
            own.update((v, Variable(v.aval)) for v in e.outvars)
        yield from _written_out(inner, own, known)
        names.update(
            (v, _named(made, own)) for v, made in zip(equation.outvars, inner.outvars, strict=True)
        )
