"""The E-step's own exponential and logarithm against the C library's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mixpyro.em.machine import exp_log as elementary

RNG = np.random.default_rng(0)
SMALL = 10.0 ** -np.arange(20.0)
DOWN = np.concatenate([-708 * RNG.random(20_000), -RNG.random(20_000), -SMALL, [0]])
UP = np.concatenate([1 + 8 * RNG.random(20_000), 0.9 + 0.2 * RNG.random(20_000), 2 - SMALL])
NEAR_ONE = np.array([1 - 2.0**-53, 1.0, 1 + 2.0**-52, 2.0, 0.5])
FAR = 10.0 ** np.arange(-307, 308)


@pytest.mark.parametrize(
    ("name", "points"), [("exp", DOWN), ("log", np.concatenate([UP, NEAR_ONE, FAR]))]
)
def test_every_digit_but_the_last(name, points, x64):
    expected = getattr(np, name)(points)
    found = np.asarray(jax.jit(getattr(elementary, name))(points))
    assert found.dtype == np.float64
    assert np.all(np.abs(found - expected) <= 2 * np.finfo(float).eps * np.abs(expected))
    single = getattr(elementary, name)(jnp.float32(points[0]))
    assert single.dtype == np.float32
    assert single == pytest.approx(expected[0], rel=1e-5, abs=1e-37)


def test_special_values(x64):
    low = elementary.exp(jnp.array([-jnp.inf, -1e300, -708.5, -0.0, jnp.nan]))
    np.testing.assert_array_equal(low, [0, 0, 0, 1, np.nan])
    high = elementary.log(jnp.array([0.0, 1.0, jnp.nan]))
    np.testing.assert_array_equal(high, [-np.inf, 0, np.nan])


def test_derivatives_of_any_order(x64):
    x = jnp.linspace(-3.0, -0.5, 7)
    for order in range(3):
        for own, function in ((elementary.exp, jnp.exp), (elementary.log, jnp.log)):
            point = x if own is elementary.exp else -x
            for _ in range(order):
                own, function = jax.grad(own), jax.grad(function)
            found, expected = (jax.jit(jax.vmap(f))(point) for f in (own, function))
            np.testing.assert_allclose(found, expected, rtol=1e-14)
