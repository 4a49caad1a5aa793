"""The exponential and the logarithm of an E-step, in double precision on CPUs.

XLA has no vectorised logarithm of doubles there, and an exponential of about half the speed. They
are primitives: one equation for JAX, and for NumPy, which has functions of its own (`BY_NUMPY`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

# ln 2 in two parts: multiples of the first are exact.
_LN2 = (float.fromhex("0x1.62e42fee00000p-1"), float.fromhex("0x1.a39ef35793c76p-33"))
_HALF = math.log(2) / 2
# The bits of a double: sign, 11 of the exponent, 52 of the fraction.
_FRACTION = 52
_BIAS = 1023
# Added to a number, it leaves the nearest integer in the lowest bits.
_ROUND = 1.5 * 2.0**_FRACTION
_ROOT_HALF = int(np.float64(np.sqrt(0.5)).view(np.int64))
_ONE, _TWO_52 = (int(np.float64(2.0**power).view(np.int64)) for power in (0, _FRACTION))
_SMALLEST = -708.0
BY_NUMPY = {"mixpyro_exp": np.exp, "mixpyro_log": np.log}


def _economised(series: list[float], degree: int, low: float, high: float) -> np.ndarray:
    """A power series (lowest first) as the polynomial through its values at Chebyshev's points."""
    exact = np.polynomial.Polynomial(series)
    near = np.polynomial.Chebyshev.interpolate(exact, degree, [low, high])
    return near.convert(kind=np.polynomial.Polynomial).coef


# e^r = 1 + r + r^2 (...), and 2 atanh(s) = 2 s + s z (...) with z = s^2.
_EXP_REST = _economised([1 / math.factorial(j + 2) for j in range(20)], 9, -_HALF, _HALF)
_EXP = np.concatenate([[1.0, 1.0], _EXP_REST])
_LOG_REST = _economised([2 / (2 * j + 3) for j in range(20)], 6, 0.0, (3 - 2 * math.sqrt(2)) ** 2)


def exp(x: jax.Array) -> jax.Array:
    """``e^x`` for x up to 0 or little more; below -708 (about 1e-308) it is 0."""
    return _EXP_P.bind(x) if _by_hand(x) else jnp.exp(x)


def log(x: jax.Array) -> jax.Array:
    """The natural logarithm of normal numbers and 0; NaN for NaN."""
    return _LOG_P.bind(x) if _by_hand(x) else jnp.log(x)


def _by_hand(x: jax.Array) -> bool:
    return x.dtype == jnp.float64 and jax.default_backend() == "cpu"


def _exp(x: jax.Array) -> jax.Array:
    """``2^k e^r`` with k the integer nearest to ``x / ln 2``, so that ``|r| <= ln 2 / 2``."""
    inside = jnp.maximum(x, _SMALLEST)
    rounded = inside / math.log(2) + _ROUND
    k = rounded - _ROUND
    r = (inside - k * _LN2[0]) - k * _LN2[1]
    bits = lax.bitcast_convert_type(rounded, jnp.int64) + _BIAS
    scale = lax.bitcast_convert_type(lax.shift_left(bits, jnp.int64(_FRACTION)), x.dtype)
    return jnp.where(x < _SMALLEST, 0, _polynomial(_EXP, r) * scale)


def _log(x: jax.Array) -> jax.Array:
    """``k ln 2 + 2 atanh(s)`` with ``x = 2^k m``, ``1/2 <= m^2 < 2``, ``s = (m - 1) / (m + 1)``."""
    bits = lax.bitcast_convert_type(x, jnp.int64)
    # Unsigned, and to a double by its bits: AVX2 neither shifts nor converts signed ones.
    exponent = lax.shift_right_logical(bits - (_ROOT_HALF - _ONE), jnp.int64(_FRACTION))
    k = lax.bitcast_convert_type(exponent | _TWO_52, x.dtype) - (2.0**_FRACTION + _BIAS)
    power = lax.shift_left(exponent, jnp.int64(_FRACTION)) - _ONE
    m = lax.bitcast_convert_type(bits - power, x.dtype)
    s = (m - 1) / (m + 1)
    z = s * s
    found = k * _LN2[0] + (2 * s + (s * (z * _polynomial(_LOG_REST, z)) + k * _LN2[1]))
    return jnp.where(x > 0, found, jnp.where(x == 0, -jnp.inf, jnp.nan))


def _polynomial(coefficients: np.ndarray, x: jax.Array) -> jax.Array:
    total = jnp.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


def _primitive(name: str, function: Callable[[jax.Array], jax.Array]) -> Primitive:
    """Entry by entry, compiled as the function is."""
    made = Primitive(name)
    made.def_impl(jax.jit(function))
    made.def_abstract_eval(lambda x: x)
    batching.defvectorized(made)
    mlir.register_lowering(made, mlir.lower_fun(function, multiple_results=False))
    return made


_EXP_P, _LOG_P = _primitive("mixpyro_exp", _exp), _primitive("mixpyro_log", _log)
ad.defjvp2(_EXP_P, lambda tangent, value, x: tangent * value)
ad.defjvp(_LOG_P, lambda tangent, x: tangent / x)
