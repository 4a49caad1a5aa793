"""Faults of data: from a sound array to what somebody may give instead of it."""

from collections.abc import Callable
from typing import Any

import numpy as np

FAULTS: dict[str, Callable[[np.ndarray], Any]] = {}


def fault(make: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    FAULTS[make.__name__.replace("_", " ")] = make
    return make


def _with(x: np.ndarray, value: Any, dtype: Any = float) -> np.ndarray:
    changed = np.array(x, dtype)
    changed.reshape(len(x), -1)[4, 0] = value
    return changed


for _name, _value in {
    "a NaN": np.nan,
    "infinity": np.inf,
    "minus infinity": -np.inf,
    "a negative number": -3.0,
    "a half": 0.5,
    "zero": 0.0,
    "one": 1.0,
    "seven": 7.0,
    "1e300": 1e300,
    "-1e300": -1e300,
    "1e39": 1e39,
    "1e12": 1e12,
    "1e-300": 1e-300,
    "1e-320": 1e-320,
}.items():
    FAULTS[_name] = lambda x, value=_value: _with(x, value)

for _scale in (1e-300, 1e-150, 1e-40, 1e-20, 1e-8, 1e8, 1e20, 1e37, 1e100, 1e150, 1e200, 1e300):
    FAULTS[f"times {_scale:g}"] = lambda x, scale=_scale: np.asarray(x, float) * scale

for _shift in (1e6, 1e8, 1e15, 1e20, 1e300, -1e8):
    FAULTS[f"plus {_shift:g}"] = lambda x, shift=_shift: np.asarray(x, float) + shift

for _dtype in ("int8", "int16", "int32", "int64", "uint8", "uint64", "float16", "bool"):
    FAULTS[f"as {_dtype}"] = lambda x, dtype=_dtype: np.abs(np.asarray(x)).astype(dtype)

for _dtype in ("complex64", "complex128", "longdouble", "object", "str", "bytes", "S3", "V8"):
    FAULTS[f"as {_dtype}"] = lambda x, dtype=_dtype: np.asarray(x).astype(dtype)


@fault
def all_NaN(x):
    return np.full(x.shape, np.nan)


@fault
def a_row_of_NaN(x):
    return _row(x, np.nan)


@fault
def a_row_of_infinities(x):
    return _row(x, np.inf)


def _row(x, value):
    changed = np.array(x, float)
    changed[4] = value
    return changed


@fault
def a_column_of_NaN(x):
    changed = np.array(x, float)
    changed.reshape(len(x), -1)[:, 0] = np.nan
    return changed


@fault
def only_one_entry_seen(x):
    changed = np.full(x.shape, np.nan)
    changed.reshape(len(x), -1)[0, 0] = np.asarray(x, float).ravel()[0]
    return changed


@fault
def no_rows(x):
    return x[:0]


@fault
def one_row(x):
    return x[:1]


@fault
def two_rows(x):
    return x[:2]


@fault
def no_columns(x):
    return x.reshape(len(x), -1)[:, :0]


@fault
def constant(x):
    return np.broadcast_to(x[:1], x.shape).copy()


@fault
def zeros(x):
    return np.zeros_like(x)


@fault
def ones(x):
    return np.ones_like(x)


@fault
def a_constant_column(x):
    changed = np.array(x)
    changed.reshape(len(x), -1)[:, 0] = changed.reshape(len(x), -1)[0, 0]
    return changed


@fault
def a_column_twice(x):
    matrix = x.reshape(len(x), -1)
    return np.column_stack([matrix[:, :1]] * max(matrix.shape[1], 2))


@fault
def a_column_and_its_double(x):
    matrix = x.reshape(len(x), -1)
    return np.column_stack([matrix[:, :1], 2 * matrix[:, :1]])


@fault
def columns_of_unlike_scales(x):
    return np.asarray(x, float) * (np.logspace(-300, 300, x.shape[1]) if x.ndim > 1 else 1e-300)


@fault
def two_different_rows(x):
    return x[np.arange(len(x)) % 2]


@fault
def one_row_unlike_the_others(x):
    changed = np.broadcast_to(x[:1], x.shape).copy()
    changed[3] = x[1]
    return changed


@fault
def half_zeros(x):
    changed = np.array(x)
    changed[::2] = 0
    return changed


@fault
def a_scalar(x):
    return np.asarray(x).ravel()[0]


@fault
def a_number(x):
    return float(np.asarray(x).ravel()[0])


@fault
def rank_0(x):
    return np.asarray(x.ravel()[0])


@fault
def a_rank_too_many(x):
    return x[..., None]


@fault
def two_ranks_too_many(x):
    return x[None, ..., None]


@fault
def a_rank_too_few(x):
    return x.ravel() if x.ndim > 1 else x[0]


@fault
def transposed(x):
    return x.T if x.ndim > 1 else x[None]
