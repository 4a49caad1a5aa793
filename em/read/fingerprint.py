"""Everything that a model can read, as one value to compare: what is kept of it must not go stale.

The walk goes through partials, handlers, bound methods, callable objects, closures, default
arguments, the global names that functions load, and whatever containers and objects these lead to.
Plain values count by value, functions by their code, JAX arrays by identity (they cannot change,
and are kept alive), NumPy arrays and frames by a digest of their contents. Installed libraries
count as they are.
"""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
import types
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import jax
import numpy as np

PLAIN = (bool, int, float, complex, str, bytes, type(None))
Path = tuple[Any, ...]

# A model from which more things than this can be reached is read anew each time.
_MOST = 20_000
_INSTALLED = tuple({sysconfig.get_path(n) for n in ("stdlib", "platstdlib", "purelib", "platlib")})
_CODE = (staticmethod, classmethod, property, functools.cached_property, types.FunctionType)
_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
_BOTTOM = (object, type)
# Steps that a reader of a message knows nothing of.
_HIDDEN = (".func", ".__func__", ".__wrapped__", ".fn", "[...]", ".__class__")


@dataclass(frozen=True)
class Fingerprint:
    """What a model reads: {path: what is there}.

    Attributes:
        found: equal as long as nothing changed.
        complete: whether all of it can be told; if not, nothing may be kept by this.
        arrays: the arrays among it.
        alive: what counts by identity, which must live as long as this does.
    """

    found: Mapping[Path, Hashable]
    complete: bool
    arrays: tuple[Any, ...]
    alive: tuple[Any, ...]

    @property
    def key(self) -> Hashable:
        """Hashable, and equal for equal fingerprints."""
        return tuple(self.found.items())

    def differences(self, other: Fingerprint) -> list[Path]:
        """The paths at which two fingerprints differ."""
        both = {**self.found, **other.found}
        return [p for p in both if self.found.get(p) != other.found.get(p)]


def fingerprint(*things: Any) -> Fingerprint:
    """The fingerprint of a model (and of what else it is given that is no data)."""
    walk = _Walk()
    for place, thing in enumerate(things):
        walk.visit(thing, (place,) if place else ())
    return Fingerprint(walk.found, walk.complete, tuple(walk.arrays), tuple(walk.alive))


def spelled(path: Path) -> str:
    """A path in words."""
    steps = "".join(str(step) for step in path if step not in _HIDDEN)
    return steps.lstrip(".") or "the model itself"


class _Walk:
    """One walk; ``found`` and the rest are those of `Fingerprint`."""

    def __init__(self) -> None:
        self.found: dict[Path, Hashable] = {}
        self.arrays: list[Any] = []
        self.alive: list[Any] = []
        self.complete = True
        self.seen: dict[int, tuple[Path, Any]] = {}  # the value too: its id is then no other's

    def visit(self, value: Any, path: Path) -> None:
        """Note a value, and go on to what it leads to."""
        if isinstance(value, PLAIN) and type(value) in PLAIN:
            # repr: NaN equals itself then, and -0.0 is not 0.0.
            self.found[path] = (type(value), repr(value) if type(value) is float else value)
            return
        if id(value) in self.seen:
            self.found[path] = ("again", self.seen[id(value)][0])
            return
        if len(self.found) > _MOST:
            self.complete = False
            return
        self.seen[id(value)] = path, value
        self.found[path] = self._token(value)
        for step, inner in self._within(value):
            self.visit(inner, (*path, step))

    def _token(self, value: Any) -> Hashable:
        """What counts of the value itself."""
        if isinstance(value, jax.core.Tracer):
            self.complete = False  # it ends with the trace that made it
        if isinstance(value, jax.Array):
            self.arrays.append(value)
            return self._identity(value)
        if isinstance(value, np.ndarray | np.generic):
            self.arrays.append(value)
            return (type(value), value.shape, str(value.dtype), _digest(np.asarray(value)))
        if isinstance(value, types.FunctionType):
            return ("function", value.__code__)
        if _is_given(value) or isinstance(value, type) or _wraps(value):
            return self._identity(value)
        if isinstance(value, PLAIN):  # of a class of its own
            return (id(type(value)), repr(value))
        size = len(value) if isinstance(value, list | tuple | dict | set | frozenset) else None
        return (id(type(value)), size)

    def _identity(self, value: Any) -> Hashable:
        self.alive.append(value)
        return ("itself", id(value))

    def _within(self, value: Any) -> Iterator[tuple[str, Any]]:
        """What a value leads to, and the step there."""
        if isinstance(value, jax.Array) or _is_given(value):
            return
        if isinstance(value, np.ndarray | np.generic):
            if value.dtype.hasobject:
                yield "[...]", value.tolist()
        elif isinstance(value, functools.partial):
            yield ".func", value.func
            yield ".args", value.args
            yield ".keywords", value.keywords
        elif isinstance(value, types.MethodType):
            yield ".__func__", value.__func__
            yield ".__self__", value.__self__
        elif isinstance(value, types.FunctionType):
            yield from _of_function(value)
        elif isinstance(value, type):
            yield from _of_class(value)
        elif isinstance(value, _CODE):
            for name in ("__func__", "fget", "func"):
                if hasattr(value, name):
                    yield f".{name}", getattr(value, name)
        elif hasattr(type(value), "__array__"):
            yield from _of_frame(value)
        elif _wraps(value):
            yield ".__wrapped__", value.__wrapped__
        else:
            yield from self._of_object(value)

    def _of_object(self, value: Any) -> Iterator[tuple[str, Any]]:
        kind = type(value)
        if _in_library(kind) and _reduces_by_itself(kind) and not isinstance(value, dict):
            yield from self._reduced(value)
            return
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield f"[{key!r}]", inner
                if not isinstance(key, PLAIN):
                    yield f"[{key!r}] (the key)", key
        elif isinstance(value, list | tuple):
            for place, inner in enumerate(value):
                yield f"[{place}]", inner
        elif isinstance(value, set | frozenset):
            for inner in sorted(value, key=repr):
                yield f"[{inner!r}]", inner
        fields = dict(_fields(value))
        for name, inner in fields.items():
            yield f".{name}", inner
        if not _in_library(kind):
            yield ".__class__", kind
        elif not fields and not isinstance(value, Mapping | list | tuple | set | frozenset):
            yield from self._reduced(value)

    def _reduced(self, value: Any) -> Iterator[tuple[str, Any]]:
        """What pickling would keep of an object whose attributes are out of sight."""
        try:
            parts = value.__reduce_ex__(4)
        except Exception:  # whatever a foreign type raises: it cannot be told
            self.complete = False
            return
        if isinstance(parts, str):
            return
        for place, part in enumerate(parts):
            yield f".state[{place}]", part if place < 3 or part is None else list(part)


def _digest(array: np.ndarray) -> bytes:
    if array.dtype.hasobject:
        return b""
    return blake2b(np.ascontiguousarray(array).reshape(-1).view(np.uint8), digest_size=16).digest()


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes that an object holds, by ``__dict__`` and ``__slots__``."""
    yield from getattr(value, "__dict__", {}).items()
    for kind in type(value).__mro__:
        names = vars(kind).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield name, getattr(value, name)


def _of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
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


def _of_class(kind: type) -> Iterator[tuple[str, Any]]:
    """The attributes and methods of a class of the user's, and its bases."""
    for name, value in vars(kind).items():
        own = name.startswith("__") and not isinstance(value, _CODE)
        if not (own or name.startswith("_abc_") or isinstance(value, _SLOTS)):
            yield f".{name}", value
    yield ".__bases__", kind.__bases__


def _of_frame(frame: Any) -> Iterator[tuple[str, Any]]:
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


def _is_given(value: Any) -> bool:
    """Whether something belongs to an installed library, as it is: no state of the user's."""
    kind = type(value)
    if isinstance(value, type):
        return value in _BOTTOM or _in_library(value)
    if isinstance(value, types.ModuleType):
        return True
    if isinstance(value, types.BuiltinFunctionType):
        return isinstance(value.__self__, types.ModuleType | type | None)
    if _root(kind.__module__) in ("jax", "jaxlib") and not _wraps(value):
        return True
    name = getattr(value, "__qualname__", None)
    return isinstance(name, str) and "<locals>" not in name and _in_library(value)


def _wraps(value: Any) -> bool:
    """Whether something callable stands for a function, compiled or with a memory, say."""
    own = isinstance(value, types.FunctionType | types.MethodType | type)
    return not own and callable(value) and callable(getattr(value, "__wrapped__", None))


def _reduces_by_itself(kind: type) -> bool:
    return any(
        getattr(kind, name) is not getattr(object, name) for name in ("__reduce__", "__reduce_ex__")
    )


def _in_library(thing: Any) -> bool:
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


def unwrapped(model: Any) -> Iterator[Callable]:
    """The plain functions inside handlers, partials and wrappers, from the outside in."""
    queue = [model]
    while queue:
        item = queue.pop()
        if isinstance(item, functools.partial):
            queue.append(item.func)
        elif isinstance(item, types.FunctionType | types.MethodType):
            yield item
            wrapped = getattr(item, "__wrapped__", None)
            if wrapped is not None:
                queue.append(wrapped)
        elif callable(getattr(item, "fn", None)):
            queue.append(item.fn)
