"""Values out of an argument's domain: one pool, and what each kind of argument takes of it."""

import math
import numbers
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

POOL: dict[str, Any] = {
    "None": None,
    "True": True,
    "-1": -1,
    "0": 0,
    "1": 1,
    "2**70": 2**70,
    "1.5": 1.5,
    "-0.5": -0.5,
    "NaN": math.nan,
    "infinity": math.inf,
    "complex": 1j,
    "a word": "hello",
    "no word": "",
    "bytes": b"soft",
    "a list": [1],
    "no list": [],
    "a tuple": (1, 2),
    "a dict": {"a": 1},
    "a set": {1},
    "an object": object(),
    "a class": int,
    "a function": abs,
    "an array": np.array([1.0, 2.0]),
    "an empty array": np.zeros(0),
    "words": np.array(["a"]),
    "a jax array": np.float32(2.5),
    "a key": jax.random.key(3),
    "a string of digits": "3",
    "not implemented": NotImplemented,
    "a slice": slice(None),
}


def _whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


# {kind of argument: whether a value is in its domain}; 2**70 is, but nobody can wait for it.
DOMAINS: dict[str, Callable[[Any], bool]] = {
    "count": lambda v: _whole(v) and v >= 1,
    "count of two": lambda v: _whole(v) and v > 1,
    "size": lambda v: _whole(v) and 1 <= v < 2**63,
    "whole": lambda v: _whole(v) and v >= 0,
    "bound": lambda v: _real(v) and v >= 0,
    "positive": lambda v: _real(v) and v > 0,
    "counts": lambda v: isinstance(v, list | tuple) and len(v) > 0,
    "path": lambda v: isinstance(v, str) and v != "",
    "array": lambda v: v is POOL["an array"],
    "numbers": lambda v: v is POOL["an array"] or (isinstance(v, list | tuple) and len(v) > 0),
    "index": lambda v: isinstance(v, list) and len(v) > 0,
    "share": lambda v: _real(v) and 0 < v <= 1,
    "optional share": lambda v: _real(v) and 0 <= v <= 1,
    "factor": lambda v: _real(v) and v > 1,
    "optional positive": lambda v: v is None or (_real(v) and v > 0),
    "level": lambda v: _real(v) and 0 < v < 1,
    "word": lambda v: False,
    "flag": lambda v: isinstance(v, bool),
    "key": lambda v: (_whole(v) and 0 <= v < 2**32) or v is POOL["a key"],
    "nothing": lambda v: False,
    "optional": lambda v: v is None,
    "optional count": lambda v: v is None or (_whole(v) and v >= 1),
    "optional bound": lambda v: v is None or (_real(v) and v >= 0),
    "optional key": lambda v: v is None or (_whole(v) and 0 <= v < 2**32) or v is POOL["a key"],
    "function": callable,
    "optional function": lambda v: v is None or callable(v),
}


def outside(kind: str) -> Iterator[tuple[str, Any]]:
    """The values of the pool that an argument of this kind must refuse."""
    inside = DOMAINS[kind]
    for name, value in POOL.items():
        if not inside(value):
            yield name, value
