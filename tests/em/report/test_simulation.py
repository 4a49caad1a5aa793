"""A fit is simulated from, and its parameters go into NumPyro."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer import Predictive
from scipy import stats

from ..two_normals import N, X, normals

pytestmark = pytest.mark.usefixtures("x64")


# ---- simulation ---------------------------------------------------------------------------------


def test_sample_gives_the_training_shape(fit):
    draws = fit.sample(jax.random.key(1))
    assert {name: value.shape for name, value in draws.items()} == {"z": (N,), "x": (N,)}
    other = fit.sample(jax.random.key(2))
    assert not np.array_equal(draws["x"], other["x"])
    again = fit.sample(jax.random.key(1))
    np.testing.assert_array_equal(draws["x"], again["x"])


def test_sample_of_another_size_has_the_fitted_distribution(fit):
    draws = fit.sample(jax.random.key(1), np.zeros(20_000))
    x, z = np.asarray(draws["x"]), np.asarray(draws["z"])
    assert x.shape == z.shape == (20_000,)
    expected = np.asarray(fit.params["weights"]) * 20_000
    assert stats.chisquare(np.bincount(z, minlength=2), expected).pvalue > 1e-4
    for j in range(2):
        loc, scale = float(fit.params["loc"][j]), float(fit.params["scale"][j])
        assert stats.kstest(x[z == j], stats.norm(loc, scale).cdf).pvalue > 1e-4


@pytest.mark.slow
def test_sample_takes_num_rows(counts_fit):
    draws = counts_fit.sample(jax.random.key(3), num_rows=8000)
    z, x = np.asarray(draws["z"]), np.asarray(draws["x"])
    assert x.shape == (8000,)
    (rate,) = (np.asarray(v) for n, v in counts_fit.params.items() if n != "weights")
    for j in range(2):
        rows = x[z == j]
        assert abs(rows.mean() - rate[j]) < 5 * np.sqrt(rate[j] / len(rows))


# ---- NumPyro ------------------------------------------------------------------------------------


def test_params_go_into_numpyro_unchanged(fit):
    model = handlers.seed(handlers.substitute(normals, fit.params), jax.random.key(0))
    sites = handlers.trace(model).get_trace(jnp.asarray(X), 2)
    for name, value in fit.params.items():
        np.testing.assert_array_equal(sites[name]["value"], value)
    predictive = Predictive(
        handlers.uncondition(normals), params=fit.params, num_samples=50, return_sites=["x", "z"]
    )
    draws = predictive(jax.random.key(0), jnp.asarray(X), 2)
    x, z = np.asarray(draws["x"]), np.asarray(draws["z"])
    assert x.shape == (50, N)
    for j in range(2):
        loc, scale = float(fit.params["loc"][j]), float(fit.params["scale"][j])
        assert stats.kstest(x[z == j], stats.norm(loc, scale).cdf).pvalue > 1e-4
