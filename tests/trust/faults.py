"""Faults of data: from a sound array to what somebody may give instead of it."""

import datetime
import decimal
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import scipy.sparse

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


@fault
def lists(x):
    return x.tolist()


@fault
def tuples(x):
    return tuple(x.tolist())


@fault
def ragged(x):
    return [
        row[: 1 + n % 2] if isinstance(row, list) else [row] * (1 + n % 2)
        for n, row in enumerate(x.tolist())
    ]


@fault
def ragged_objects(x):
    changed = np.empty(len(x), object)
    changed[:] = ragged(x)
    return changed


@fault
def nothing(x):
    return None


@fault
def a_string(x):
    return "data.csv"


@fault
def a_set(x):
    return set(np.asarray(x).ravel().tolist())


@fault
def a_generator(x):
    return (row for row in x)


@fault
def a_dictionary(x):
    return {"x": x}


@fault
def a_function(x):
    return lambda: x


@fault
def words(x):
    return np.full(x.shape, "a")


@fault
def words_among_numbers(x):
    return _with(x, "a", object)


@fault
def None_among_numbers(x):
    return _with(x, None, object)


@fault
def decimals(x):
    return np.vectorize(lambda v: decimal.Decimal(str(v)), otypes=[object])(x)


@fault
def dates(x):
    return np.datetime64("2020-01-01") + np.abs(np.asarray(x, float)).astype(int)


@fault
def spans_of_time(x):
    return np.abs(np.asarray(x, float)).astype("timedelta64[D]")


@fault
def python_dates(x):
    return _with(x, datetime.date(2020, 1, 1), object)


@fault
def huge_integers(x):
    return np.full(x.shape, 2**62)


@fault
def python_integers_beyond_64_bits(x):
    return np.full(x.shape, 10**30, object)


@fault
def unsigned_beyond_int64(x):
    return np.full(x.shape, 2**64 - 1, np.uint64)


@fault
def records(x):
    return np.array([(float(v),) for v in x.ravel()], [("a", float)])


@fault
def masked_nothing(x):
    return np.ma.masked_array(x)


@fault
def masked_some(x):
    return np.ma.masked_array(x, mask=np.arange(x.size).reshape(x.shape) % 5 == 0)


@fault
def masked_all(x):
    return np.ma.masked_all_like(x)


@fault
def sparse(x):
    return scipy.sparse.csr_matrix(np.atleast_2d(np.asarray(x, float)))


@fault
def sparse_array(x):
    return scipy.sparse.coo_array(np.atleast_2d(np.asarray(x, float)))


@fault
def a_matrix(x):
    return np.asmatrix(x)


@fault
def read_only(x):
    changed = np.array(x)
    changed.flags.writeable = False
    return changed


@fault
def fortran_order(x):
    return np.asfortranarray(x)


@fault
def strided(x):
    return np.repeat(x, 2, 0)[::2]


@fault
def backwards(x):
    return x[::-1]


@fault
def other_byte_order(x):
    return np.asarray(x, float).astype(">f8")


@fault
def unaligned(x):
    buffer = np.zeros(x.size * 8 + 1, np.uint8)
    view = buffer[1:].view(np.float64).reshape(x.shape)
    view[...] = x
    return view


@fault
def a_memory_view(x):
    return memoryview(np.ascontiguousarray(x, float))


@fault
def a_deleted_array(x):
    changed = jnp.asarray(x, float)
    changed.delete()
    return changed


@fault
def a_donated_array(x):
    changed = jnp.asarray(x, float)
    jax.jit(lambda v: v + 1, donate_argnums=0)(changed).block_until_ready()
    if not changed.is_deleted():
        changed.delete()
    return changed


@fault
def bfloat16(x):
    return jnp.asarray(x, jnp.bfloat16)


@fault
def keys(x):
    return jax.random.split(jax.random.key(0), x.shape[0])


@fault
def a_shape(x):
    return jax.ShapeDtypeStruct(x.shape, jnp.float32)


@fault
def a_frame_of_words(x):
    return pd.DataFrame({"a": ["u"] * len(x), "b": np.arange(len(x))})


@fault
def a_categorical_series(x):
    return pd.Series(["u", "v"] * (len(x) // 2), dtype="category")


@fault
def a_series_with_gaps(x):
    return (
        pd.Series(np.asarray(x).reshape(len(x), -1)[:, 0])
        .astype("Float64")
        .mask(np.arange(len(x)) == 3)
    )


@fault
def a_frame(x):
    return pd.DataFrame(np.asarray(x).reshape(len(x), -1))


@fault
def an_index(x):
    return pd.Index(np.arange(len(x)))


@fault
def dates_of_pandas(x):
    return pd.Series(pd.date_range("2020-01-01", periods=len(x)))
