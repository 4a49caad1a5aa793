"""Triangular inverses, inverses and products of entries, beside NumPy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mixpyro.em.families._matrices import entries_and_products, inverse, inverse_of_tril

# One block, a block and its first neighbour, two and four uneven halves.
SIZES = (1, 5, 16, 17, 33, 70)
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-13}


def trils(d, dtype):
    """Lower triangular matrices (2, 3, d, d), one of them badly scaled."""
    rng = np.random.default_rng(d)
    tril = np.tril(rng.normal(size=(2, 3, d, d))) / np.sqrt(d)
    tril[..., np.arange(d), np.arange(d)] = rng.uniform(0.5, 2, size=(2, 3, d))
    tril[1, 2] *= 1e-3
    return tril.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", SIZES)
def test_inverse_of_tril(d, dtype):
    tril = trils(d, dtype)
    with jax.enable_x64(dtype is np.float64):
        found = np.asarray(inverse_of_tril(jnp.asarray(tril)))
    assert found.dtype == dtype
    expected = np.linalg.inv(tril.astype(float))
    error = np.abs(found - expected).max((-2, -1)) / np.abs(expected).max((-2, -1))
    assert error.max() < TOLERANCE[dtype]
    assert (np.triu(found, 1) == 0).all()


@pytest.mark.parametrize("d", SIZES)
def test_inverse_and_log_determinant(d, x64):
    tril = trils(d, float)
    matrix = tril @ np.swapaxes(tril, -1, -2)
    found, log_det = inverse(jnp.asarray(matrix))
    identity = np.asarray(found) @ matrix
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(d), identity.shape), atol=1e-9)
    np.testing.assert_array_equal(found, np.swapaxes(found, -1, -2))
    np.testing.assert_allclose(log_det, np.linalg.slogdet(matrix)[1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_entries_and_products(d, x64):
    u = np.random.default_rng(d).normal(size=(2, d, 7))
    i, j = np.triu_indices(d)
    expected = [u[:, a] for a in range(d)]
    expected += [u[:, a] * u[:, b] for a, b in zip(i, j, strict=True)]
    found = entries_and_products(jnp.asarray(u))
    np.testing.assert_array_equal(found, np.stack(expected, 1))
