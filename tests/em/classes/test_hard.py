"""Hard assignment beside NumPy's argmax: ties, impossible classes, a single class."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mixpyro.em.classes.assignments.hard import Hard


@pytest.mark.parametrize("k", [1, 2, 7, 300])
def test_each_row_to_the_first_of_its_best_components(k, precision):
    rng = np.random.default_rng(k)
    joint = rng.integers(-3, 3, size=(k, 50)).astype(precision)  # most rows have ties
    joint[rng.random(joint.shape) < 0.3] = -np.inf
    joint[:, 7] = -np.inf
    given, top = jax.jit(Hard())(jnp.asarray(joint))
    assert given.dtype == precision
    np.testing.assert_array_equal(given, np.eye(k)[joint.argmax(0)].T)
    np.testing.assert_array_equal(top, joint.max(0))
