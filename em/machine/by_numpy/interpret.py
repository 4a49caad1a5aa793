"""A function of small arrays run by NumPy: what runs a few times need not be compiled.

JAX traces the function as ever; its jaxpr is then carried out equation by equation. A primitive
that NumPy has no counterpart of is JAX's own, by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal

from ..shards import on_several
from ..traced import kind_of, variables
from .flat import Equation, Flat, flat, parted
from .meter import Meter, price
from .primitives import ON_KEYS, TABLE

# What to do, with which places, into which of these dtypes, and what nobody reads afterwards.
Step = tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...], tuple[Any, ...], tuple[int, ...]]


def interpreted(function: Callable, meter: Meter | None = None) -> Callable:
    """``function`` of pytrees of arrays, by NumPy; it is traced once for each kind of arguments.

    With a ``meter`` its outermost loop is compiled once that is tired.
    """
    programs: dict[Any, tuple[Program, Any]] = {}
    compiled = jax.jit(function)

    def run(*args: Any) -> Any:
        leaves, tree = jax.tree.flatten(args)
        if any(isinstance(v, jax.core.Tracer) for v in leaves):
            return function(*args)
        if any(map(on_several, leaves)):  # computed where they are
            return compiled(*args)
        kinds = [kind_of(v) for v in leaves]
        key = tree, tuple((k.shape, k.dtype, k.weak_type) for k in kinds)
        if key not in programs:
            given = jax.tree.unflatten(tree, kinds)
            jaxpr, out = jax.make_jaxpr(function, return_shape=True)(*given)
            programs[key] = Program(jaxpr, meter), jax.tree.structure(out)
        program, out_tree = programs[key]
        with np.errstate(all="ignore"):
            found = program([_given(v, k.dtype) for v, k in zip(leaves, kinds, strict=True)])
        with jax.ensure_compile_time_eval():
            arrays = list(map(_returned, found, program.dtypes))
        return jax.tree.unflatten(out_tree, arrays)

    return run


def _given(value: Any, dtype: Any) -> np.ndarray:
    """An array of NumPy; of JAX's keys their words, on a last axis more."""
    return np.asarray(jax.random.key_data(value)) if _keyed(dtype) else np.asarray(value, dtype)


def _returned(value: np.ndarray, dtype: Any) -> jax.Array:
    array = jax.device_put(value)
    return jax.random.wrap_key_data(array, impl=dtype) if _keyed(dtype) else array


def _keyed(dtype: Any) -> bool:
    return jax.dtypes.issubdtype(dtype, jax.dtypes.extended)


class Program:
    """A jaxpr made ready: its equations are functions from places to places of one list."""

    def __init__(self, source: Any, meter: Meter | None = None, inner: bool = False) -> None:
        self._meter = meter
        whole = source if isinstance(source, Flat) else flat(source)
        self._places: dict[Any, int] = {}
        self._first: list[Any] = []
        known = {v: _given(c, v.aval.dtype) for v, c in whole.known.items()}
        for v, value in known.items():
            self._first[self._place(v)] = value
        self._inputs = [self._place(v) for v in whole.inputs]
        self._steps: list[Step] = []
        last = {v: i for i, e in enumerate(whole.equations) for v in variables(e.invars)}
        kept = {*variables(whole.outputs), *known}
        for number, equation in enumerate(whole.equations):
            own = tuple(map(self._place, equation.invars))
            if self._told(equation, known):
                continue
            made = tuple(map(self._place, equation.outvars))
            kinds = (v.aval.dtype for v in equation.outvars)
            dtypes = tuple(None if _keyed(dtype) else dtype for dtype in kinds)
            read = {*variables(equation.invars)} - kept
            gone = tuple(self._places[v] for v in read if last[v] == number)
            self._steps.append((_carry_out(equation, meter, inner), own, made, dtypes, gone))
        self._outputs = [self._place(v) for v in whole.outputs]
        self.dtypes = [v.aval.dtype for v in whole.outputs]
        if meter is not None:
            self._price = sum(map(_price, whole.equations))
            meter.operations += len(whole.equations) if inner else 0

    def _place(self, atom: Any) -> int:
        if isinstance(atom, Literal):
            aval: Any = atom.aval
            self._first.append(np.asarray(atom.val, aval.dtype))
            return len(self._first) - 1
        if atom not in self._places:
            self._places[atom] = len(self._first)
            self._first.append(None)
        return self._places[atom]

    def _told(self, equation: Equation, known: dict[Any, np.ndarray]) -> bool:
        """Carry out at once what depends on no input; ``known`` are values of variables."""
        atoms = equation.invars
        if not known.keys() >= set(variables(atoms)) or equation.effects:
            return False
        if equation.primitive.name not in TABLE or _with_keys(equation):
            return False
        kinds = [v.aval.dtype for v in atoms]
        values = [v.val if isinstance(v, Literal) else known[v] for v in atoms]
        with np.errstate(all="ignore"):
            found = _carry_out(equation, None, False)(*map(np.asarray, values, kinds))
        several = found if isinstance(found, list) else [found]
        for v, value in zip(equation.outvars, several, strict=True):
            known[v] = self._first[self._place(v)] = np.asarray(value, v.aval.dtype)
        return True

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """The results, of one array for each input."""
        if self._meter is not None:
            self._meter.spend(self._price)
        values = list(self._first)
        for place, value in zip(self._inputs, arrays, strict=True):
            values[place] = value
        for function, own, made, dtypes, gone in self._steps:
            found = function(*[values[i] for i in own])
            if type(found) is not list:
                dtype = dtypes[0]
                if found.dtype is not dtype and dtype is not None:
                    found = np.asarray(found, dtype)
                values[made[0]] = found
            else:
                for place, value, dtype in zip(made, found, dtypes, strict=True):
                    if value.dtype != dtype and dtype is not None:
                        value = np.asarray(value, dtype)
                    values[place] = value
            for place in gone:
                values[place] = None
        return [values[i] for i in self._outputs]


def _price(equation: Equation) -> float:
    name = equation.primitive.name
    ours = name in TABLE or name in _CONTROL
    sizes = (math.prod(v.aval.shape) for v in (*equation.invars, *equation.outvars))
    return price(name, max(sizes, default=0), ours)


def _carry_out(equation: Any, meter: Meter | None, inner: bool) -> Callable[..., Any]:
    name, params = equation.primitive.name, equation.params
    if name in _CONTROL:
        return _CONTROL[name](equation, meter, inner)
    if name == "optimization_barrier":
        return lambda *arrays: list(arrays)
    own = _by_jax(equation)
    if name not in TABLE or (_with_keys(equation) and not _of_keys(equation)):
        return own
    function = TABLE[name](**params)
    if isinstance(function, np.ufunc):
        return function

    def run(*arrays: Any) -> Any:
        try:
            return function(*arrays)
        except NotImplementedError:
            return own(*arrays)

    return run


def _with_keys(equation: Any) -> bool:
    return any(_keyed(v.aval.dtype) for v in (*equation.invars, *equation.outvars))


def _of_keys(equation: Any) -> bool:
    """Whether the table can do it with keys, which are two words each there."""
    kinds = [v.aval.dtype for v in (*equation.invars, *equation.outvars)]
    ours = all(d.name == "key<fry>" for d in kinds if _keyed(d))
    return ours and jax.config.jax_threefry_partitionable and equation.primitive.name in ON_KEYS


def _by_jax(equation: Any) -> Callable[..., Any]:
    """The primitive as JAX runs it by itself."""
    kinds = [v.aval.dtype for v in equation.invars]

    def run(*arrays: Any) -> list[Any]:
        with jax.ensure_compile_time_eval():
            found = equation.primitive.bind(*map(_returned, arrays, kinds), **equation.params)
            several = found if isinstance(found, list | tuple) else [found]
            return [_given(v, v.dtype) for v in several]

    return run


def _while(equation: Any, meter: Meter | None, inner: bool) -> Callable[..., Any]:
    p = equation.params
    condition = p["cond_jaxpr"]
    first, second = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
    goes_on = Program(condition, meter, True)
    fixed, body = _in_loop(p["body_jaxpr"], p["body_nconsts"], meter)
    # Under `jax.vmap` some go on, and others stay where they ended.
    each = len(condition.out_avals[0].shape)
    watched = None if inner else meter
    rest = None if watched is None else _by_xla(equation, watched.options)

    def run(*arrays: Any) -> list[Any]:
        own, other, carry = arrays[:first], arrays[first:second], list(arrays[second:])
        still = [*fixed(other), *other]
        while (on := goes_on([*own, *carry])[0]).any():
            if watched is not None and watched.tired and rest is not None:
                return rest(*own, *other, *carry)
            new = body([*still, *carry])
            carry = [_where(on, a, b) for a, b in zip(new, carry, strict=True)] if each else new
        return carry

    return run


def _in_loop(closed: Any, still: int, meter: Meter | None) -> tuple[Program, Program]:
    """A body: what hangs on the first inputs alone, and the rest, which takes that as well."""
    fixed, rest = parted(flat(closed), still)
    return Program(fixed, meter, True), Program(rest, meter, True)


def _by_xla(equation: Any, options: dict[str, Any] | None) -> Callable[..., list[Any]]:
    """The primitive compiled, once it is called."""
    kinds = [v.aval.dtype for v in equation.invars]

    def loop(*arrays: jax.Array) -> list[jax.Array]:
        found: list[jax.Array] = equation.primitive.bind(*arrays, **equation.params)
        return found

    compiled = jax.jit(loop, compiler_options=options)
    return lambda *arrays: [_given(v, v.dtype) for v in compiled(*map(_returned, arrays, kinds))]


def _where(on: np.ndarray, new: np.ndarray, old: np.ndarray) -> np.ndarray:
    return np.where(on.reshape(on.shape + (1,) * (np.ndim(old) - on.ndim)), new, old)


def _cond(equation: Any, meter: Meter | None, inner: bool) -> Callable[..., Any]:
    branches = [Program(b, meter, inner) for b in equation.params["branches"]]

    def run(which: Any, *arrays: Any) -> list[Any]:
        return branches[min(max(int(which), 0), len(branches) - 1)](arrays)

    return run


def _scan(equation: Any, meter: Meter | None, _inner: bool) -> Callable[..., Any]:
    p, number = equation.params, len(equation.outvars)
    if "num_carry" in p:
        consts, carried = p["num_consts"], p["num_carry"]
    else:
        consts, carried, _ = (len(part) for part in p["ft_in"].unpack())
    inner = getattr(p["jaxpr"], "jaxpr", p["jaxpr"])
    if len(inner.outvars) != number:  # some results are passed by the body: JAX knows how
        return _by_jax(equation)
    (fixed, body), length = _in_loop(p["jaxpr"], consts, meter), p["length"]
    order = range(length)[::-1] if p["reverse"] else range(length)
    kinds = [v.aval for v in equation.outvars[carried:]]

    def run(*arrays: Any) -> list[Any]:
        own = [*fixed(arrays[:consts]), *arrays[:consts]]
        carry, rows = list(arrays[consts : consts + carried]), arrays[consts + carried :]
        stacked: list[Any] = [np.empty(k.shape, k.dtype) for k in kinds]
        for i in order:
            found = body([*own, *carry, *(r[i] for r in rows)])
            carry = found[:carried]
            for whole, part in zip(stacked, found[carried:], strict=True):
                whole[i] = part
        return [*carry, *stacked]

    return _by_jax(equation) if any(_keyed(k.dtype) for k in kinds) else run


def _solve(equation: Any, meter: Meter | None, inner: bool) -> Callable[..., Any]:
    p = equation.params
    lengths, solve = p["const_lengths"], Program(p["jaxprs"].solve, meter, inner)
    before = lengths.matvec + lengths.vecmat
    after = before + lengths.solve
    last = after + lengths.transpose_solve
    return lambda *arrays: solve([*arrays[before:after], *arrays[last:]])


_CONTROL = {"while": _while, "cond": _cond, "scan": _scan, "custom_linear_solve": _solve}
