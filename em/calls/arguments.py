"""A model call, split into data (array leaves) and everything else (static, remembered)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..machine.shards import in_parts, laid, on_several, shards_of
from . import frames
from .call import SCALARS, Call, is_data, is_leaf
from .categories import coded
from .numbers import numbers
from .signatures import signature_of

_NEEDS_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


def split(args: tuple, kwargs: dict, model: Callable | None = None) -> Call:
    """Split a call; frames and other array-likes become arrays, items of the model numbers.

    Raises:
        ValueError: an array that holds no numbers or no rows, frames whose indices have the same
            rows in another order, or an argument that cannot be hashed.
    """
    if model is not None:
        args, kwargs = coded(model, args, kwargs)
    leaves, tree = leaves_of(args, kwargs)
    arrays: list[jax.Array] = []
    static: list[tuple[int, Hashable]] = []
    columns: list[tuple[Any, ...] | None] = []
    gaps = False
    frames.same_order(leaves)
    for place, leaf in enumerate(leaves):
        if isinstance(leaf, SCALARS):
            static.append((place, leaf))
        elif is_data(leaf):
            name = _name(model, tree, place)
            arrays.append(numbers(leaf, name))
            columns.append(frames.columns(leaf))
            gaps = gaps or has_gaps(arrays[-1])
            if arrays[-1].shape[:1] == (0,):
                raise ValueError(
                    f"{name} has shape {arrays[-1].shape}: no rows; give at least one row"
                )
        else:
            _refuse_what_is_no_value(leaf, _name(model, tree, place))
            static.append((place, leaf))
    shards = shards_of(arrays)
    if shards is not None:
        arrays = [laid(a, shards) if in_parts(a) else a for a in arrays]
    found = Call(tuple(arrays), tuple(static), tree, gaps, tuple(columns))
    return found if shards is None else replace(found, shards=shards)


def with_values(call: Call, attempt: Callable[[Call], Any]) -> tuple[Any, Call]:
    """``attempt(call)``, and the call with as many arrays concrete as that needs: one, or all.

    Raises:
        ValueError: the attempt needs values in Python that depend on more than the arguments.
    """
    try:
        return attempt(call), call
    except _NEEDS_VALUES as error:
        first = error
    known = [i for i, a in enumerate(call.arrays) if not isinstance(a, jax.core.Tracer)]
    for places in [*([i] for i in known), known]:
        held = call.holding(places)
        try:
            return attempt(held), held
        except _NEEDS_VALUES:
            continue
    raise ValueError(
        "the model needs the value of an array in Python (an int(...), an if, a shape); pass such "
        f"values as plain numbers, which are static. JAX said: {str(first).strip().splitlines()[0]}"
    ) from first


def has_gaps(value: Any) -> bool:
    """Whether an array has a NaN; what is traced may have one."""
    if isinstance(value, jax.core.Tracer):
        return bool(jnp.issubdtype(value.dtype, jnp.floating))
    if isinstance(value, jax.Array) and _elsewhere(value):
        with jax.ensure_compile_time_eval():  # known, though JAX may be tracing
            floating = jnp.issubdtype(value.dtype, jnp.floating)
            return bool(floating) and bool(jnp.isnan(value).any())
    array = np.asarray(value)
    return array.dtype.kind == "f" and bool(np.isnan(array).any())


def leaves_of(args: tuple, kwargs: dict) -> tuple[list[Any], Any]:
    """The leaves of the arguments, and their tree.

    Raises:
        ValueError: arguments that JAX cannot take apart.
    """
    try:
        return jax.tree.flatten((args, kwargs), is_leaf=is_leaf)
    except ValueError as error:
        raise ValueError(f"the model's arguments cannot be taken apart: {error}") from None


def _name(model: Callable | None, tree: Any, place: int) -> str:
    """What messages call a leaf of the arguments."""
    args, kwargs = tree.unflatten(map(_Place, range(tree.num_leaves)))
    named = _named(model, args, kwargs)
    return f"argument {next(n for n, number in named.items() if number == place)!r}"


def _refuse_what_is_no_value(leaf: Any, name: str) -> None:
    """Refuse what is neither data nor a static value that can be told from others."""
    kind = type(leaf).__name__
    if isinstance(leaf, Iterator):
        raise ValueError(f"{name} is a {kind}, which can be read only once; pass an array")
    if hasattr(leaf, "shape") and hasattr(leaf, "dtype"):
        raise ValueError(
            f"{name} is a {kind}, which is no NumPy array; pass a dense array, such as "
            "x.toarray() of a sparse matrix"
        )
    try:
        hash(leaf)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} is of type {kind}, which is neither an array nor hashable; pass an array, a "
            "number, a string or a tuple"
        ) from None


def merge(model: Callable, known: Call, args: tuple, kwargs: dict) -> Call:
    """The call for new data: what is not given again is taken from ``known`` if it is static.

    Arrays are never carried over: the new call's data are only those that it names. The columns of
    frames are brought into the order that those of ``known`` have.

    Raises:
        ValueError: a frame has other columns than the known one.
    """
    if not args and not kwargs:
        return known
    new = split(*_with_statics(model, known, args, kwargs), model)
    if not any(known.columns) or not any(new.columns):
        return new
    return frames.in_order(known, places(model, known), new, places(model, new))


def _with_statics(model: Callable, known: Call, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    old_args, old_kwargs = known.rebuild()
    try:
        signature = signature_of(model)
        bound = signature.bind_partial(*old_args, **old_kwargs).arguments
        given = signature.bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return args, {**_static_only(old_kwargs), **kwargs}
    keywords = dict(kwargs)
    for name, value in bound.items():
        kind = signature.parameters[name].kind
        if name in given or not _is_static(value):
            continue
        if kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
            keywords[name] = value
        elif kind is inspect.Parameter.VAR_KEYWORD:
            keywords.update({k: v for k, v in value.items() if k not in keywords})
    return args, keywords


def places(model: Callable, call: Call) -> dict[str, int]:
    """{argument: the place of its array in the call}; parts of an argument have their own names."""
    return _named(model, *call.rebuild(tuple(_Place(i) for i in range(len(call.columns)))))


def _named(model: Callable | None, args: tuple, kwargs: dict) -> dict[str, int]:
    """{argument: number} of the places among arguments; parts of one have names of their own."""
    try:
        if model is None:
            raise ValueError
        named: dict[str, Any] = dict(signature_of(model).bind_partial(*args, **kwargs).arguments)
    except (TypeError, ValueError):
        named = {f"argument {i}": value for i, value in enumerate(args)} | kwargs
    found = jax.tree.flatten_with_path(named, is_leaf=lambda leaf: leaf is None)[0]
    return {
        f"{path[0].key}{jax.tree_util.keystr(path[1:])}": leaf.number
        for path, leaf in found
        if isinstance(leaf, _Place)
    }


@dataclass(frozen=True)
class _Place:
    """Where an array is among those of a call."""

    number: int


def _is_static(value: Any) -> bool:
    return not any(
        hasattr(leaf, "__array__") and not isinstance(leaf, SCALARS)
        for leaf in jax.tree.leaves(value)
    )


def _static_only(kwargs: dict) -> dict:
    return {name: value for name, value in kwargs.items() if _is_static(value)}


def _elsewhere(value: jax.Array) -> bool:
    return on_several(value) or any(device.platform != "cpu" for device in value.devices())
