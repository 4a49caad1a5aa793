"""The fixtures do what they say: a counter that counts nothing would pass every test."""

import jax
import jax.numpy as jnp
import pytest


def test_precision_is_the_default_float_type(precision):
    assert jnp.ones(2).dtype == precision
    assert jax.jit(jnp.sin)(1.0).dtype == precision


def test_x64(x64):
    assert jnp.ones(2).dtype == jnp.float64


def test_float32_outside_the_fixtures():
    assert jnp.ones(2).dtype == jnp.float32


def test_strict_ranks(strict_ranks):
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)


def test_watch_jax_sees_the_first_call_only(watch_jax):
    def add_one(x):
        return x + 1

    add_one = jax.jit(add_one)
    x = jnp.ones(3)
    with watch_jax() as first:
        add_one(x)
    with watch_jax() as second:
        add_one(x)
    assert len(first.compiled) == 1
    assert "add_one" in first.compiled[0]
    assert "add_one" in first.traced
    assert second.compiled == second.traced == []
