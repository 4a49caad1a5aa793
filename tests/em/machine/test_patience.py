"""A loop that NumPy begins and XLA ends: the same numbers, wherever it changes hands."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from mixpyro.em.machine import patience
from mixpyro.em.machine.patience import Patient

X = np.linspace(0.5, 3, 6)


def collatz(x, steps):
    """Of each entry its own number of steps, with a loop within the loop and a key."""

    def one(x):
        def body(state):
            step, y, key = state
            key, draw = jax.random.split(key)
            y = lax.while_loop(lambda v: v > 4, lambda v: v / 3, y * 1.7 + jax.random.uniform(draw))
            return step + 1, y, key

        start = (0, x, jax.random.key(0))
        step, y, _ = lax.while_loop(lambda s: s[0] < steps * x, body, start)
        return step, y

    return jax.vmap(one)(x)


@pytest.mark.parametrize("compiling", [0.0, 1e-5, 3e-5, 1e-4, 1e-3, np.inf])
def test_it_may_change_hands_anywhere(compiling, precision, monkeypatch, watch_jax):
    monkeypatch.setattr(patience, "_COMPILING", compiling)
    x = jnp.asarray(X, precision)
    run = Patient(collatz, None)
    with watch_jax() as work:
        found = run(x, 5)
    expected = jax.jit(collatz)(x, 5)
    np.testing.assert_array_equal(found[0], np.ceil(5 * X))
    np.testing.assert_array_equal(found[0], expected[0])
    tolerance = 2e-5 if precision == jnp.float32 else 1e-12
    np.testing.assert_allclose(found[1], expected[1], rtol=tolerance)
    # JAX may compile single operations too, whatever runs before this.
    assert run.tired == any("loop" in name for name in work.compiled)
    if compiling in (0.0, np.inf):
        assert run.tired == (compiling == 0)


def test_many_calls_are_worth_compiling_once(watch_jax):
    run, x = Patient(collatz, None), jnp.asarray(X)
    run(x, 2)
    assert not run.tired
    for _ in range(1000):
        if run.tired:
            break
        run(x, 2)
    assert run.tired
    expected = run(x, 7)
    with watch_jax() as work:
        found = run(x, 7)
    assert work.compiled == []
    np.testing.assert_array_equal(found[1], expected[1])


def test_it_is_part_of_what_traces_it():
    run, x = Patient(collatz, None), jnp.asarray(X)
    found = jax.jit(lambda x: run(x, 3)[1])(x)
    np.testing.assert_allclose(found, jax.jit(collatz)(x, 3)[1], rtol=1e-6)
