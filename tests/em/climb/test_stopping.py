"""When a climb ends."""

import jax.numpy as jnp
import pytest

from mixpyro.em.climb.stopping import stopping


@pytest.mark.parametrize("factor", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("rest", [1e-3, 1e-5])
def test_what_is_left_of_a_geometric_climb(factor, rest, x64):
    """Gains g, g a, g a^2 ...: after one of them, g a / (1 - a) is left."""
    last = jnp.asarray(rest * (1 - factor) / factor**2)
    expected = rest < 1e-4
    assert bool(stopping(last * factor, last, jnp.asarray(-100.0), 1e-4)) is expected


def test_rounding_ends_a_climb():
    """VEV of the iris data in single precision, on some machines: three values in a circle."""
    circle = jnp.array([-215.72643, -215.72557, -215.72665], jnp.float32)
    gains = jnp.diff(jnp.tile(circle, 2))
    assert stopping(gains[1:], gains[:-1], circle[0], 1e-4).any()
    assert stopping(jnp.float32(0), gains[0], circle[0], 1e-4)
    assert not stopping(jnp.float32(1), jnp.float32(1), circle[0], 1e-4)
