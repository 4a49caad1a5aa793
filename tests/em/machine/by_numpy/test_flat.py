"""Calls written out, and what a loop's body takes from its constants alone."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

from mixpyro.em.machine.by_numpy.flat import flat, parted
from mixpyro.em.machine.by_numpy.interpret import Program, interpreted

X = np.arange(12.0).reshape(3, 4)
AT = np.float32(3)


@jax.jit
def _centred(x):
    return x - jnp.mean(x, 0), x.shape[0] * jnp.ones(2)


def _calls(x):
    first, _ = _centred(x)
    second, sizes = _centred(first + x[:1])
    return first * second + sizes[0], second, x, 3.0


def test_no_call_is_left_and_nothing_that_nobody_reads():
    whole = flat(jax.make_jaxpr(_calls)(X))
    names = [e.primitive.name for e in whole.equations]
    assert "jit" not in names
    assert names.count("reduce_sum") == 2
    # The number of the first call is not read, that of the second is.
    assert names.count("broadcast_in_dim") == 3
    for got, wanted in zip(Program(whole)([X]), _calls(X), strict=True):
        np.testing.assert_allclose(got, wanted)


def test_a_body_is_parted_into_what_changes_and_what_does_not():
    def body(table, i, at):
        rows = jnp.log(table)[i]  # of the constants alone
        return at + 1, rows.sum() * at

    closed = jax.make_jaxpr(body)(X + 1, np.array([2, 0]), AT)
    still, moving = parted(flat(closed), 2)
    assert "log" in {e.primitive.name for e in still.equations}
    assert [e.primitive.name for e in moving.equations] == ["add", "mul"]
    kept = Program(still)([X + 1, np.array([2, 0])])
    got = Program(moving)([*kept, X + 1, np.array([2, 0]), AT])
    for one, wanted in zip(got, jaxpr_as_fun(closed)(X + 1, np.array([2, 0]), AT), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-6)


def test_indices_that_change_lead_elsewhere():
    """Where the last indices led to is kept: others of the same shape are others."""

    def function(x, i):
        def step(at, total):
            return total.at[:, (at + i[0]) % 3].add(x[:, (at + i) % 4].sum(1))

        return jax.lax.fori_loop(0, 5, step, jnp.zeros((3, 3))), x[i % 3], x.at[i % 3].set(7.0)

    run = interpreted(function)
    for i in ([0, 1], [3, 3], [2, 0], [0, 1], [9, -2]):
        got, wanted = run(X, np.array(i)), function(jnp.array(X), jnp.array(i))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), got, wanted)


def test_loops_within_loops_and_scans():
    def function(x, w):
        def inner(state):
            return state[0] + 1, state[1] + jnp.cumsum(w) * state[0]

        def outer(carry, row):
            small = jax.lax.while_loop(lambda s: s[0] < 3, inner, (0, row))
            return carry + jnp.exp(-w).sum(), small[1] + carry

        return jax.lax.scan(outer, 0.0, x)

    w = np.linspace(0, 1, 4)
    got, wanted = interpreted(function)(X, w), function(X, w)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), got, wanted)
