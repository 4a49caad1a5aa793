"""A fit that was made in double precision is asked in it, wherever that is; warnings are errors."""

import pickle

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest

from mixpyro import em, inference, models
from mixpyro.data import load_old_faithful

X = load_old_faithful().to_numpy()


@pytest.fixture(scope="module")
def fit():
    with jax.enable_x64(True):
        return em.EM(models.gaussian_mixture).run(0, X, num_components=2)


@pytest.fixture(autouse=True)
def outside():
    assert not jax.config.jax_enable_x64
    yield
    assert not jax.config.jax_enable_x64


def worked_out(params):
    """(n, k) log of weight times density, by NumPy."""
    parts = []
    each = (np.asarray(params[n]) for n in ("weights", "loc", "covariance_matrix"))
    for w, m, c in zip(*each, strict=True):
        gap = X - m
        distance = np.einsum("ni,ij,nj->n", gap, np.linalg.inv(c), gap)
        parts.append(np.log(w) - 0.5 * (distance + np.log(np.linalg.det(2 * np.pi * c))))
    return np.stack(parts, 1)


def test_rows_are_scored_in_double_precision(fit):
    joint = worked_out(fit.params)
    expected = np.logaddexp(*joint.T)
    np.testing.assert_allclose(fit.log_prob(), expected, rtol=1e-12)
    np.testing.assert_allclose(fit.log_prob(X), expected, rtol=1e-12)
    share = np.exp(joint - expected[:, None])
    np.testing.assert_allclose(fit.responsibilities(X), share, atol=1e-12)
    np.testing.assert_array_equal(fit.predict(X[:5]), share[:5].argmax(1))


def test_all_that_a_fit_is_asked_for_is_as_within(fit):
    with jax.enable_x64(True):
        again = em.EM(models.gaussian_mixture).run(0, X, num_components=2)
        inside = again.summary(), again.icl, again.profiles(), again.indices(), again.message
    asked = fit.summary(), fit.icl, fit.profiles(), fit.indices(), fit.message
    for one, other in zip(asked, inside, strict=True):
        assert np.asarray(one, object).tolist() == np.asarray(other, object).tolist()


def test_copies_files_and_pictures_keep_it(fit, tmp_path):
    fit.save(tmp_path / "fit.npz")
    read = em.load(tmp_path / "fit.npz", models.gaussian_mixture)
    for other in (read, pickle.loads(pickle.dumps(fit)), fit.sorted([1, 0]).sorted([1, 0])):
        assert other.params["loc"].dtype == np.float64
        np.testing.assert_array_equal(other.log_prob(), fit.log_prob())
    axes = fit.plot.clusters()
    drawn = np.concatenate([c.get_offsets() for c in axes.collections[:4]])
    assert {tuple(row) for row in drawn} == {tuple(row) for row in X}
    plt.close("all")


@pytest.mark.slow
def test_studies_of_it_are_in_double_precision(fit):
    found = em.bootstrap(fit, jax.random.key(0), num_replicates=4)
    assert all(np.asarray(v).dtype == np.float64 for v in found.params.values())
    posterior = inference.run_laplace(fit, jax.random.key(0), num_samples=20)["posterior"]
    assert all(v.dtype == np.float64 for v in posterior.data_vars.values())


def test_a_fit_in_single_precision_stays_what_it_is():
    single = em.EM(models.gaussian_mixture).run(0, X, num_components=1)
    assert single.log_prob(X).dtype == np.float32
