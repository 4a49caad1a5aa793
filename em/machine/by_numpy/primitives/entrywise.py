"""Entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as special

from ...exp_log import BY_NUMPY
from ._table import TABLE, Array, plain, primitive

_ENTRYWISE: dict[str, Callable] = {
    **BY_NUMPY,
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "neg": np.negative,
    "sign": np.sign,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "exp": np.exp,
    "exp2": np.exp2,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "cbrt": np.cbrt,
    "square": np.square,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "logistic": special.expit,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "max": np.maximum,
    "min": np.minimum,
    "nextafter": np.nextafter,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "is_finite": np.isfinite,
    "lgamma": special.gammaln,
    "igamma": special.gammainc,
    "igammac": special.gammaincc,
    "digamma": special.psi,
    "zeta": special.zeta,
    "erf": special.erf,
    "erfc": special.erfc,
    "erf_inv": special.erfinv,
    "bessel_i0e": special.i0e,
    "bessel_i1e": special.i1e,
    "regularized_incomplete_beta": special.betainc,
    "pow": lambda x, y: np.power(x, y),
    "copy": np.asarray,
    "copy_p": np.asarray,
    "stop_gradient": np.asarray,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
}
TABLE.update({name: plain(function) for name, function in _ENTRYWISE.items()})


@primitive("div")
def _div(x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu":
        return np.divide(x, y)
    safe = np.where(y == 0, 1, y)
    found = np.where(y == 0, -1, np.abs(x) // np.abs(safe) * (np.sign(x) * np.sign(safe)))
    return found.astype(x.dtype)


@primitive("rem")
def _rem(x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu":
        return np.fmod(x, y)
    return np.where(y == 0, x, np.fmod(x, np.where(y == 0, 1, y)))


@primitive("integer_pow")
def _integer_pow(x: Array, *, y: int) -> Array:
    return x**y if y >= 0 else 1 / x**-y


@primitive("round")
def _round(x: Array, *, rounding_method: Any) -> Array:
    if int(rounding_method) == 1:
        return np.rint(x)
    return np.trunc(x + np.copysign(np.nextafter(x.dtype.type(0.5), x.dtype.type(0)), x))


@primitive("polygamma")
def _polygamma(order: Array, x: Array) -> Array:
    sign = np.where(order % 2 == 1, 1.0, -1.0)
    general = sign * special.gamma(order + 1.0) * special.zeta(order + 1.0, x)
    return np.where(order == 0, special.psi(x), general)


@primitive("select_n")
def _select_n(which: Array, *cases: Array) -> Array:
    if len(cases) == 2:
        return np.where(which, cases[1], cases[0])
    return np.choose(np.clip(which, 0, len(cases) - 1), cases)


@primitive("convert_element_type")
def _convert(x: Array, *, new_dtype: Any, **_: Any) -> Array:
    new = np.dtype(new_dtype)
    if x.dtype.kind == "f" and new.kind in "iu":
        limits = np.iinfo(new)
        inside = np.clip(np.nan_to_num(x, posinf=np.inf, neginf=-np.inf), limits.min, limits.max)
        # The largest number is no float: one beyond it would wrap.
        top = x >= float(limits.max)
        return np.where(top, limits.max, np.where(top, 0, inside).astype(new)).astype(new)
    return x.astype(new)


@primitive("bitcast_convert_type")
def _bitcast(x: Array, *, new_dtype: Any) -> Array:
    if np.dtype(new_dtype).itemsize != x.dtype.itemsize:
        raise NotImplementedError
    return np.ascontiguousarray(x).reshape(x.shape).view(new_dtype)


@primitive("shift_left")
def _shift_left(x: Array, by: Array) -> Array:
    return np.where(_beyond(x, by), 0, np.left_shift(x, np.where(_beyond(x, by), 0, by)))


@primitive("shift_right_logical")
def _shift_right_logical(x: Array, by: Array) -> Array:
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    steps = np.where(_beyond(x, by), 0, by).astype(unsigned)
    moved = np.right_shift(x.astype(unsigned), steps).astype(x.dtype)
    return np.where(_beyond(x, by), 0, moved)


@primitive("shift_right_arithmetic")
def _shift_right_arithmetic(x: Array, by: Array) -> Array:
    return np.right_shift(x, np.where(_beyond(x, by), 8 * x.dtype.itemsize - 1, by))


def _beyond(x: Array, by: Array) -> Array:
    return (by < 0) | (by >= 8 * x.dtype.itemsize)
