"""Functions of the gamma and Bessel kinds, without the cancellation of their textbook forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e, i1e

_SHIFT = 8
# B_2m / (2 m), m = 1, 2, ...: log a - digamma(a) ~ 1 / (2 a) + sum_m B_2m / (2 m a^2m),
# DLMF 5.11.2. Eight terms leave less than double precision's rounding from a = 8 on.
_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)


def stirling(a: jax.Array) -> jax.Array:
    """``log Gamma(a) - a log a + a``: what Stirling's leading terms leave (DLMF 5.11.1).

    Differences of log Gamma at large arguments, as in the density of a concentrated Gamma, lose
    every digit in single precision; differences of this do not.
    """
    b, small = _shifted(a)
    inverse = 1 / b
    square = inverse * inverse
    tail = jnp.zeros_like(b)
    for m in range(len(_DIGAMMA), 0, -1):
        tail = tail * square + _DIGAMMA[m - 1] / (2 * m - 1)
    series = jnp.log(2 * np.pi * inverse) / 2 + tail * inverse
    low = jnp.where(small, a, 1)
    product = low
    for i in range(1, _SHIFT):
        product = product * (low + i)
    high = low + _SHIFT
    shift = high * jnp.log(high) - low * jnp.log(low) - _SHIFT - jnp.log(product)
    return series + jnp.where(small, shift, 0)


def log_choose(m: jax.Array, x: jax.Array) -> jax.Array:
    """``log C(m, x)``, whose log factorials would cancel: of a million trials, all single digits.

    ``x log(m / x) - (m - x) log(1 - x / m) + s(m) - s(x) - s(m - x)``, s(n) being what Stirling's
    ``n log n - n`` leaves of ``log n!``.
    """
    y = m - x
    share = x / jnp.where(m > 0, m, 1)
    some = x * jnp.log(jnp.where(x > 0, 1 / jnp.where(x > 0, share, 1), 1))
    rest = -y * jnp.log1p(-jnp.where(y > 0, share, 0))
    return some + rest + _of_factorial(m) - _of_factorial(x) - _of_factorial(y)


def _of_factorial(n: jax.Array) -> jax.Array:
    """``log n! - n log n + n``, 0 for n = 0."""
    there = jnp.where(n > 0, n, 1)
    return jnp.where(n > 0, stirling(there) + jnp.log(there), 0)


def log_minus_digamma(a: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``log a - digamma(a) > 0`` and its derivative ``1 / a - trigamma(a) < 0``."""
    b, small = _shifted(a)
    inverse = 1 / b
    square = inverse * inverse
    value, slope = jnp.zeros_like(b), jnp.zeros_like(b)
    for m in range(len(_DIGAMMA), 0, -1):
        value = value * square + _DIGAMMA[m - 1]
        slope = slope * square + 2 * m * _DIGAMMA[m - 1]
    value = value * square + inverse / 2
    slope = -(slope * square * inverse + square / 2)
    low = jnp.where(small, a, 1)
    back = [1 / (low + i) for i in range(_SHIFT)]
    value = value + jnp.where(small, sum(back) - jnp.log1p(_SHIFT / low), 0)
    squares = sum(r * r for r in back)
    slope = slope + jnp.where(small, _SHIFT / (low * (low + _SHIFT)) - squares, 0)
    return value, slope


def _shifted(a: jax.Array) -> tuple[jax.Array, jax.Array]:
    small = a < _SHIFT
    return jnp.where(small, a + _SHIFT, a), small


def bessel_gap(kappa: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``1 - I_1(kappa) / I_0(kappa)`` and its derivative, precise where the ratio is near 1.

    Beyond kappa = 100 by the asymptotic series, whose seventh term is then below 1e-11 of it.
    """
    near = jnp.minimum(kappa, 100.0)
    ratio = i1e(near) / i0e(near)
    slope = -(1 - ratio / jnp.maximum(near, 1e-6) - ratio * ratio)
    slope = jnp.where(near > 1e-3, slope, -0.5)
    r = 1 / jnp.maximum(kappa, 100.0)
    coefficients = (1 / 2, 1 / 8, 1 / 8, 25 / 128, 13 / 32, 1073 / 1024)
    far, far_slope = jnp.zeros_like(r), jnp.zeros_like(r)
    for power in range(len(coefficients), 0, -1):
        far = (far + coefficients[power - 1]) * r
        far_slope = far_slope * r + power * coefficients[power - 1]
    far_slope = -far_slope * r * r
    large = kappa > 100.0
    return jnp.where(large, far, 1 - ratio), jnp.where(large, far_slope, slope)
