"""What functions, modules, classes and frames hold that a model may read."""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
import types
import weakref
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np

_INSTALLED = tuple({sysconfig.get_path(n) for n in ("stdlib", "platstdlib", "purelib", "platlib")})
CODE = (staticmethod, classmethod, property, functools.cached_property, types.FunctionType)
_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
_BOTTOM = (object, type)


def digest(array: np.ndarray) -> bytes:
    """A hash of the contents of an array; empty for one of objects."""
    if array.dtype.hasobject:
        return b""
    return blake2b(np.ascontiguousarray(array).reshape(-1).view(np.uint8), digest_size=16).digest()


def fields_of(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes that an object holds, by ``__dict__`` and ``__slots__``.

    Without the weak references of a library's object to another, its memory: they come and go.
    """
    library = in_library(type(value))
    for name, inner in getattr(value, "__dict__", {}).items():
        memory = library and isinstance(inner, weakref.ref)
        if not (memory and in_library(type(inner()))):
            yield name, inner
    for kind in type(value).__mro__:
        names = vars(kind).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield name, getattr(value, name)


def of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function reads: defaults, closure, the globals that its code names."""
    yield ".__defaults__", function.__defaults__
    yield ".__kwdefaults__", function.__kwdefaults__
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f".{name}", cell.cell_contents
        except ValueError:  # not bound yet
            continue
    if _in_library_named(function.__globals__.get("__name__")):
        return
    loaded, names = _names(code)
    for name in sorted(loaded & function.__globals__.keys()):
        value = function.__globals__[name]
        yield f".{name}", value
        yield from _of_module(value, names, f".{name}")
    for key, value in vars(function).items():
        yield f".{key}", value


def _of_module(module: Any, names: frozenset[str], path: str) -> Iterator[tuple[str, Any]]:
    """What a function takes from a module that is no installed library."""
    if not isinstance(module, types.ModuleType) or _in_library_named(module.__name__):
        return
    for name in sorted(names & vars(module).keys()):
        value = vars(module)[name]
        yield f"{path}.{name}", value
        if value is not module:
            yield from _of_module(value, names - {name}, f"{path}.{name}")


@functools.lru_cache(4096)
def _names(code: types.CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """The global names that code loads, and all names in it; those of functions within it too."""
    loaded = {
        i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    names = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            more, others = _names(inner)
            loaded |= more
            names |= others
    return frozenset(loaded), frozenset(names)


def of_class(kind: type) -> Iterator[tuple[str, Any]]:
    """The attributes and methods of a class of the user's, and its bases."""
    for name, value in vars(kind).items():
        own = name.startswith("__") and not isinstance(value, CODE)
        if not (own or name.startswith("_abc_") or isinstance(value, _SLOTS)):
            yield f".{name}", value
    yield ".__bases__", kind.__bases__


def of_frame(frame: Any) -> Iterator[tuple[str, Any]]:
    """The columns of a frame, or the array of something like one."""
    columns = getattr(frame, "columns", None)
    if columns is None or not hasattr(frame, "dtypes"):
        yield "[...]", np.asarray(frame)
        if hasattr(frame, "name"):
            yield ".name", frame.name
    else:
        yield ".columns", list(columns)
        for place, name in enumerate(columns):
            column = frame.iloc[:, place] if hasattr(frame, "iloc") else frame[name]
            yield f"[{name!r}]", np.asarray(column)
    if hasattr(frame, "index") and not callable(frame.index):
        yield ".index", np.asarray(frame.index)


def is_given(value: Any) -> bool:
    """Whether something belongs to an installed library, as it is: no state of the user's."""
    if isinstance(value, type):
        return value in _BOTTOM or in_library(value)
    if isinstance(value, types.ModuleType):
        return True
    if isinstance(value, types.BuiltinFunctionType):
        return isinstance(value.__self__, types.ModuleType | type | None)
    if is_of_jax(value) and not wraps(value):
        return True
    name = getattr(value, "__qualname__", None)
    return isinstance(name, str) and "<locals>" not in name and in_library(value)


def is_of_jax(value: Any) -> bool:
    """Whether a thing is of a type of JAX's."""
    return _root(type(value).__module__) in ("jax", "jaxlib")


def wraps(value: Any) -> bool:
    """Whether something callable stands for a function, compiled or with a memory, say."""
    own = isinstance(value, types.FunctionType | types.MethodType | type)
    return not own and callable(value) and callable(getattr(value, "__wrapped__", None))


def reduces_by_itself(kind: type) -> bool:
    """Whether a class says itself how it is pickled."""
    return any(
        getattr(kind, name) is not getattr(object, name) for name in ("__reduce__", "__reduce_ex__")
    )


def in_library(thing: Any) -> bool:
    """Whether a thing comes with an installed library, which does not change."""
    return _in_library_named(getattr(thing, "__module__", None))


def _in_library_named(module: Any) -> bool:
    """Whether a module belongs to Python or to an installed library, which changes nothing."""
    return isinstance(module, str) and _installed(_root(module))


def _root(module: Any) -> str:
    return str(module).partition(".")[0]


@functools.lru_cache(1024)
def _installed(root: str) -> bool:
    if root in ("mixpyro", "builtins"):
        return True
    if root in ("__main__", "__mp_main__"):
        return False
    module = sys.modules.get(root)
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    spec = getattr(module, "__spec__", None)
    if getattr(spec, "origin", None) in ("built-in", "frozen"):
        return True
    return any(isinstance(p, str) and p.startswith(_INSTALLED) for p in places)
