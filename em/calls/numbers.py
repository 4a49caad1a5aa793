"""Array-likes as arrays of numbers: what is masked or missing is NaN, what is no number is refused.

JAX takes what it is given to its own precision without a word: an integer beyond 32 bits wraps
around, a number beyond single precision is infinite or 0, and numbers around 1e8 lose their units.
Each of these would be other data than the user's, and is refused here. Shorter kinds of numbers
become JAX's own: ``1 - x`` wraps around in uint8, and a logarithm in float16 has three digits.
"""

from __future__ import annotations

import contextlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..machine.arrays import array as as_jax

# What rounding to JAX's precision may move a number by, in standard deviations of its column: at
# most a third of that on average, which adds 0.1% to a variance.
_ROUNDED = 0.1


def numbers(value: Any, name: str = "an argument") -> jax.Array:
    """The array of an array-like, in JAX's precision.

    Masked entries and those that frames lack become NaN. ``name`` is what messages call it.

    Raises:
        ValueError: no numbers, complex ones, or ones that JAX's precision cannot hold.
    """
    if not isinstance(value, jax.Array):
        return as_jax(_held(plain(value, name), name))
    if not isinstance(value, jax.core.Tracer) and value.is_deleted():
        raise ValueError(
            f"{name} was deleted or donated to another function (jax.jit's donate_argnums): its "
            "values are gone; pass a copy"
        )
    _real(value.dtype, value, name)
    own = _own_dtype(value.dtype)
    return value if own == value.dtype else value.astype(own)


def plain(value: Any, name: str = "an argument") -> np.ndarray:
    """The same as a NumPy array of the precision that it has.

    Raises:
        ValueError: no numbers, or complex ones.
    """
    if isinstance(value, np.ma.MaskedArray):
        # NumPy's asarray would give what stands behind the mask.
        hidden = np.ma.getmaskarray(value)
        array = value.data.view(np.ndarray)
        _real(array.dtype, value, name)
        return np.where(hidden, np.nan, array) if hidden.any() else array
    if isinstance(value, jax.Array):
        return np.asarray(numbers(value, name))
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} is no array of numbers: {error}") from None
    if array.dtype.kind == "O" and hasattr(value, "to_numpy"):
        with contextlib.suppress(TypeError, ValueError):  # of words
            array = value.to_numpy(dtype=float, na_value=np.nan)
    _real(array.dtype, value, name)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array.astype(np.float64) if array.dtype == np.longdouble else array


def _real(dtype: Any, value: Any, name: str) -> None:
    """Refuse what is no real number."""
    kind = getattr(dtype, "kind", "")
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        raise ValueError(f"{name} is a JAX key; data are numbers")
    if kind == "c":
        raise ValueError(
            f"{name} has dtype {dtype}: complex numbers have no density here; pass their real and "
            "imaginary parts"
        )
    if kind not in "biuf" and not jnp.issubdtype(dtype, jnp.floating):  # bfloat16 is of kind V
        raise ValueError(
            f"{name}, of type {type(value).__name__}, has dtype {dtype}, which JAX cannot hold; "
            "code categories as integers 0, 1, ... and pass numbers"
        )


def _held(array: np.ndarray, name: str) -> np.ndarray:
    """The array in the dtype that JAX makes of it.

    Raises:
        ValueError: other numbers come of that.
    """
    dtype = _own_dtype(array.dtype)
    held = _without_subnormals(array, dtype)
    if (dtype == array.dtype and held is array) or array.size == 0 or array.dtype.kind == "b":
        return array.astype(dtype, copy=False)
    how = (
        "call jax.config.update('jax_enable_x64', True) before all else, or subtract an offset "
        "and divide by a unit"
    )
    if array.dtype.kind in "iu":
        least, most = int(array.min()), int(array.max())
        bounds = np.iinfo(dtype)
        if least < bounds.min or most > bounds.max:
            place = int(np.argmax((array < bounds.min) | (array > bounds.max)))
            raise ValueError(
                f"{name} has the integer {array.ravel()[place]}{_at(array, place)}, which JAX's "
                f"{dtype.name} cannot hold: it would come out as another number; {how}"
            )
        return array.astype(dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rounded = held.astype(dtype)
        there = np.isfinite(array)
        lost = there & ~np.isfinite(rounded)
        if lost.any():
            place = int(np.argmax(lost))
            raise ValueError(
                f"{name} has the number {array.ravel()[place]:g}{_at(array, place)}, beyond "
                f"JAX's {dtype.name}; {how}"
            )
        moved = np.where(there, np.abs(rounded.astype(array.dtype) - array), 0.0)
        spread = _spread(np.where(there, array, np.nan))
        gone = (rounded == 0) & (array != 0) & np.isinf(spread)  # a tiny constant
        lost = (moved > _ROUNDED * spread) | gone
    if lost.any():
        place = int(np.argmax(lost))
        raise ValueError(
            f"{name} has numbers around {array.ravel()[place]:.6g}{_at(array, place)} that differ "
            f"by less than JAX's {dtype.name} can tell apart: their standard deviation is "
            f"{np.broadcast_to(spread, array.shape).ravel()[place]:.3g}; {how}"
        )
    return rounded


def _without_subnormals(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array with 0 for what XLA takes as 0; itself, if nothing is."""
    if array.dtype.kind != "f":
        return array
    small = np.abs(array) < np.finfo(dtype).tiny
    return np.where(small, 0, array) if (array[small] != 0).any() else array


def _spread(array: np.ndarray) -> np.ndarray:
    """The standard deviation of each column, of the size of its largest number at least 1e-300."""
    size = np.fmax.reduce(np.abs(array), axis=0, keepdims=True)
    size = np.where(size > 0, size, 1.0)
    scaled = np.nan_to_num(array / size)
    number = np.maximum((~np.isnan(array)).sum(0, keepdims=True), 1)
    mean = scaled.sum(0, keepdims=True) / number
    away = np.where(np.isnan(array), 0.0, scaled - mean)
    spread = np.sqrt((away**2).sum(0, keepdims=True) / number)
    # What is constant is so after rounding.
    return np.where(spread > 1e-15, spread * size, np.inf)


def _own_dtype(dtype: Any) -> np.dtype:
    """The kind of number that data of this one become."""
    if jnp.issubdtype(dtype, jnp.floating):
        return np.dtype(jnp.result_type(float))
    if jnp.issubdtype(dtype, jnp.integer) and dtype != jnp.uint32:  # old keys of JAX are uint32
        return np.dtype(jnp.result_type(int))
    return np.dtype(dtype)


def _at(array: np.ndarray, place: int) -> str:
    index = np.unravel_index(place, array.shape)
    words = ("row", "column", *["index"] * array.ndim)
    found = ", ".join(f"{word} {int(i)}" for word, i in zip(words, index, strict=False))
    return f" at {found}" if found else ""
