"""Loops that `jax.vmap` reads once."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap

from mixpyro.em.machine.loops import batched, while_loop


def test_a_body_is_read_once_under_vmap() -> None:
    """How often each number is to be halved until it is at most 1."""
    read = []

    @custom_vmap
    def half(x):
        return x / 2

    @half.def_vmap
    def halves(_size, _batched, x):
        read.append(x.shape)
        return x / 2, True

    def halvings(x):
        first = (jnp.zeros((), int), x)
        return while_loop(lambda s: s[1] > 1, lambda s: (s[0] + 1, half(s[1])), first, x)[0]

    x = np.array([0.5, 3.0, 100.0, 1.0, 9.0], np.float32)
    found = jax.vmap(halvings)(x)
    np.testing.assert_array_equal(found, np.maximum(np.ceil(np.log2(x)), 0))
    assert read == [x.shape]


def test_values_stay_to_the_bit_whatever_they_are_alike() -> None:
    values = {"a": jnp.asarray([jnp.nan, -0.0, jnp.inf]), "b": 3, "c": jnp.asarray(True)}
    for like in (jnp.nan, jnp.inf, 0.0, 1.0):
        found = batched(values, jnp.asarray([like]))
        for name, value in values.items():
            own = np.asarray(jnp.asarray(value))
            assert np.asarray(found[name]).tobytes() == own.tobytes()
