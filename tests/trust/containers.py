"""Faults of data: what holds them is no array of numbers, or an unusual one."""

import datetime
import decimal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import scipy.sparse

from .faults import FAULTS, _with, fault

__all__ = ["FAULTS"]


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
