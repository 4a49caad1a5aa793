"""Models, values and data by digests that another process can compare: see `fingerprint`.

A fingerprint holds for one process, since much counts by identity there. Here functions count by
what their code does, what belongs to libraries by its name, and arrays by their contents.
"""

from __future__ import annotations

import types
from collections.abc import Hashable, Iterator
from hashlib import blake2b
from typing import Any

import jax
import numpy as np

from .contents import digest, is_given, is_of_jax, wraps
from .fingerprint import PLAIN, Walk


def digest_of(*things: Any) -> str:
    """A digest of models, or of other values that are no data."""
    walk = _Portable()
    for place, thing in enumerate(things):
        walk.visit(thing, (place,))
    return _hashed(*(f"{path!r} {token!r}" for path, token in walk.found.items()))


def digest_of_array(array: Any) -> str:
    """A digest of the numbers of an array, where they lie in parts of these in turn."""
    if isinstance(array, jax.Array) and jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    if isinstance(array, jax.Array) and not array.is_fully_replicated:
        parts = {str(shard.index): shard for shard in array.addressable_shards}
        own = [digest(np.asarray(parts[place].data)) for place in sorted(parts)]
        return _hashed(str(array.shape), str(array.dtype), *map(bytes.hex, own))
    array = np.asarray(array)
    return _hashed(str(array.shape), str(array.dtype), digest(array).hex())


def _hashed(*lines: str) -> str:
    return blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


class _Portable(Walk):
    def _token(self, value: Any) -> Hashable:
        if isinstance(value, jax.Array):
            return ("array", digest_of_array(value))
        if isinstance(value, np.ndarray | np.generic):
            return ("array", value.shape, str(value.dtype), digest(np.asarray(value)))
        if isinstance(value, types.FunctionType) and not is_given(value):
            return ("function", *_code(value.__code__))
        if is_given(value) or isinstance(value, type) or wraps(value):
            return ("itself", _name(type(value)), _name(value))
        if isinstance(value, PLAIN):
            return (_name(type(value)), repr(value))
        size = len(value) if isinstance(value, list | tuple | dict | set | frozenset) else None
        return (_name(type(value)), size)

    def _within(self, value: Any) -> Iterator[tuple[str, Any]]:
        yield from super()._within(value)
        if wraps(value) and not is_of_jax(value):  # a handler, say: what else it holds
            yield from self._of_object(value)


def _name(value: Any) -> str:
    own = getattr(value, "__qualname__", None) or type(value).__qualname__
    return f"{getattr(value, '__module__', None) or type(value).__module__}.{own}"


def _code(code: types.CodeType) -> tuple[Hashable, ...]:
    """What a function does, wherever it stands and whatever is commented."""
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return (code.co_name, code.co_code, code.co_flags, *names, *map(_constant, code.co_consts))


def _constant(value: Any) -> Hashable:
    if isinstance(value, types.CodeType):
        return _code(value)
    if isinstance(value, tuple):
        return tuple(map(_constant, value))
    if isinstance(value, frozenset):  # in an order of its own in each process
        return tuple(sorted(map(repr, value)))
    return (type(value).__name__, repr(value))
