"""Newton's method of the M-steps: where derivatives mislead, and beside climbs that have ended."""

import jax
import jax.numpy as jnp
import numpy as np

from mixpyro.em.machine.maximise import maximise


def counted(function):
    """The function, and how often it is evaluated without derivatives, of each point."""
    calls = []

    @jax.custom_jvp
    def value(point):
        jax.debug.callback(lambda: calls.append(1))
        return function(point)

    @value.defjvp
    def along(at, direction):
        return jax.jvp(function, at, direction)

    return value, calls


@jax.custom_jvp
def misleading(point):
    """A constant that claims to rise: no step gains, however short."""
    return jnp.zeros(()) * point.sum()


@misleading.defjvp
def _(at, direction):
    return misleading(*at), direction[0].sum()


def flat_top(point):
    """Highest at 1; there Newton's steps leave two thirds of the way, so that many are taken."""
    return -((point - 1) ** 4).sum()


def test_a_climb_that_has_ended_costs_the_others_nothing(x64):
    def either(point, which):
        return jnp.where(which, flat_top(point), misleading(point))

    starts = jnp.full((2, 2), 3.0)
    spent = []
    for kinds in ([True, True], [False, True]):
        calls = []

        def climb(start, which, calls=calls):
            function, own = counted(lambda point: either(point, which))
            calls.append(own)
            return maximise(function, start, 40)

        found = jax.jit(jax.vmap(climb))(starts, jnp.asarray(kinds))
        jax.effects_barrier()
        np.testing.assert_allclose(found[1], [1, 1], atol=1e-3)
        if not kinds[0]:
            np.testing.assert_array_equal(found[0], starts[0])
        spent.append(sum(map(len, calls)))
    # What the misled climb halves in vain, 25 times, both are taken through, but once.
    assert spent[0] > 2 * 10
    assert spent[1] <= spent[0] + 2 * 30


def test_where_second_derivatives_are_not_finite_the_first_lead(x64):
    """Of ``-cosh(t - 3)``, whose curvature is said to be unknown: a step is ``-sinh(t - 3)``."""

    @jax.custom_jvp
    def slope(t):
        return -jnp.sinh(t - 3)

    @slope.defjvp
    def _(at, direction):
        return slope(*at), jnp.nan * direction[0]

    @jax.custom_jvp
    def unknown(t):
        return -jnp.cosh(t - 3)

    @unknown.defjvp
    def _(at, direction):
        return unknown(*at), slope(*at) * direction[0]

    def objective(point):
        return unknown(point[0]) - (point[1] - 2) ** 2

    function, calls = counted(objective)
    found = jax.jit(lambda start: maximise(function, start, 30))(jnp.asarray([2.0, 0.0]))
    jax.effects_barrier()
    np.testing.assert_allclose(found, [3, 2], atol=1e-4)
    assert len(calls) < 60
