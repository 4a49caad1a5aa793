"""Newton's step of a numeric M-step that sees no rows, by hand: coordinates at their bounds."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from mixpyro.em.step.quadratic import uphill

pytestmark = pytest.mark.usefixtures("x64")

# Of -2 a^2 / 2 + 1.5 a b - 2 b^2 / 2, whose axes are no eigenvectors.
CURVATURE = np.array([[-2.0, 1.5], [1.5, -2.0]])
PLAIN = SimpleNamespace(
    blocks=[SimpleNamespace(parameters=("a",), prior=False, separable=False)],
    unconstrain=lambda params, arrays, names: {n: params[n] for n in names},
    constrain=lambda values, params, arrays: values,
    limit=lambda name, rows: jnp.asarray(3.0),
    ceiling=lambda dtype: {"a": np.inf},
)


def stepped(point, slope, reach=1.0):
    expected = SimpleNamespace(
        slopes={"a": jnp.array(slope)}, curvatures={"0": jnp.array([CURVATURE])}
    )
    params = {"a": jnp.array(point)}
    return np.asarray(uphill(PLAIN, 0, expected, params, SimpleNamespace(arrays=()), reach)["a"])


@pytest.mark.parametrize("side", [1, -1])
def test_one_that_would_leave_is_held_and_the_others_move_as_if_it_were_fixed(side):
    """b alone moves by its own slope over its own curvature, 1 / 2."""
    np.testing.assert_allclose(stepped([side * 3.0, 0.0], [side * 0.2, 1.0]), [side * 3, 0.5])


@pytest.mark.parametrize("side", [1, -1])
def test_one_at_its_bound_that_would_come_back_moves_with_the_others(side):
    step = -np.linalg.solve(CURVATURE, [-side * 0.2, side * 0.1])
    found = stepped([side * 3.0, 0.0], [-side * 0.2, side * 0.1])
    np.testing.assert_allclose(found, np.array([side * 3.0, 0.0]) + step)


def test_within_the_bounds_it_is_newtons_step_cut_short_at_them():
    slope, half = [0.3, -0.2], 0.5
    whole = -np.linalg.solve(CURVATURE, slope)
    np.testing.assert_allclose(
        stepped([0.5, 0.1], slope, half), np.array([0.5, 0.1]) + half * whole
    )
    assert stepped([2.9, 0.0], [1.0, 1.0])[0] == 3.0
