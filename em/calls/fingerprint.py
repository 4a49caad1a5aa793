"""Everything that a model can read, as one value to compare: what is kept of it must not go stale.

The walk goes through partials, handlers, bound methods, callable objects, closures, default
arguments, the global names that functions load, and whatever containers and objects these lead to.
Plain values count by value, functions by their code, JAX arrays by identity (they cannot change,
and are kept alive), NumPy arrays and frames by a digest of their contents. Installed libraries
count as they are.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from .contents import (
    CODE,
    digest,
    fields_of,
    in_library,
    is_given,
    of_class,
    of_frame,
    of_function,
    reduces_by_itself,
    wraps,
)

PLAIN = (bool, int, float, complex, str, bytes, type(None))
Path = tuple[Any, ...]

# A model from which more things than this can be reached is read anew each time.
_MOST = 20_000
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
    walk = Walk()
    for place, thing in enumerate(things):
        walk.visit(thing, (place,) if place else ())
    return Fingerprint(walk.found, walk.complete, tuple(walk.arrays), tuple(walk.alive))


def spelled(path: Path) -> str:
    """A path in words."""
    steps = "".join(str(step) for step in path if step not in _HIDDEN)
    return steps.lstrip(".") or "the model itself"


class Walk:
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
            return (type(value), value.shape, str(value.dtype), digest(np.asarray(value)))
        if isinstance(value, types.FunctionType):
            return ("function", value.__code__)
        if is_given(value) or isinstance(value, type) or wraps(value):
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
        if isinstance(value, jax.Array) or is_given(value):
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
            yield from of_function(value)
        elif isinstance(value, weakref.ref):
            yield "()", value()
        elif isinstance(value, type):
            yield from of_class(value)
        elif isinstance(value, CODE):
            for name in ("__func__", "fget", "func"):
                if hasattr(value, name):
                    yield f".{name}", getattr(value, name)
        elif hasattr(type(value), "__array__"):
            yield from of_frame(value)
        elif wraps(value):
            yield ".__wrapped__", value.__wrapped__
        else:
            yield from self._of_object(value)

    def _of_object(self, value: Any) -> Iterator[tuple[str, Any]]:
        kind = type(value)
        if in_library(kind) and reduces_by_itself(kind) and not isinstance(value, dict):
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
        fields = dict(fields_of(value))
        for name, inner in fields.items():
            yield f".{name}", inner
        if not in_library(kind):
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
