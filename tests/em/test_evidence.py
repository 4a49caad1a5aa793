"""Soft and set-valued labels: evidence on each row's class, put around a model."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import special, stats

from mixpyro import em, models

KEY = jax.random.key(0)
N, K = 90, 3


@functools.cache
def data():
    rng = np.random.default_rng(4)
    z = rng.integers(K, size=N)
    x = rng.poisson(np.array([1.0, 4.0, 12.0])[z])
    return x, z, rng.dirichlet(np.ones(K), N)


def fit_with(labels, **options):
    model = em.with_labels(models.poisson_mixture, z=labels)
    return em.EM(model, num_restarts=2, **options).run(KEY, data()[0], num_components=K)


def joint_of(fit):
    x = data()[0]
    rate = np.asarray(fit.params["rate"])
    return np.log(np.asarray(fit.params["weights"])) + stats.poisson.logpmf(x[:, None], rate)


def test_evidence_multiplies_the_prior_of_each_row(x64):
    evidence = data()[2]
    fit = fit_with(evidence)
    assert fit.status.ok
    assert fit.spec.closed_form
    joint = joint_of(fit) + np.log(evidence)
    total = special.logsumexp(joint, 1)
    np.testing.assert_allclose(fit.log_prob(), total, atol=1e-10)
    assert fit.log_likelihood == pytest.approx(total.sum(), rel=1e-12)
    resp = special.softmax(joint, 1)
    np.testing.assert_allclose(fit.responsibilities(), resp, atol=1e-9)
    np.testing.assert_allclose(fit.params["weights"], resp.mean(0), atol=1e-4)
    np.testing.assert_allclose(fit.params["rate"], resp.T @ data()[0] / resp.sum(0), rtol=1e-4)
    assert np.all(np.diff(fit.trace) >= -1e-10)


@pytest.mark.slow
def test_integers_ones_and_one_hot_rows_say_the_same(x64):
    z = data()[1]
    labels = np.where(np.arange(N) < 40, z, -1)
    hard = fit_with(labels)
    joint = joint_of(hard)
    known = labels >= 0
    total = np.where(known, joint[np.arange(N), z], special.logsumexp(joint, 1))
    np.testing.assert_allclose(hard.log_prob(), total, atol=1e-10)
    np.testing.assert_array_equal(np.asarray(hard.responsibilities())[known], np.eye(K)[z[known]])
    sets = np.where(known[:, None], np.eye(K)[z], 1.0)
    soft = fit_with(sets)
    assert soft.log_likelihood == pytest.approx(hard.log_likelihood, abs=1e-6)


@pytest.mark.slow
def test_a_set_of_classes_excludes_the_others(x64):
    allowed = np.ones((N, K))
    allowed[::2, 2] = 0
    found = np.asarray(fit_with(allowed).responsibilities())
    assert np.all(found[::2, 2] == 0)
    assert np.all(found[1::2, 2] > 0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full(N, 3), r"label 3 of site 'z' at row 0 is out of range: it has 3 classes"),
        (np.zeros(4, int), r"shape \(4,\); \(90,\)"),
        (np.ones((N, 2)), r"shape \(90, 2\)"),
        (-np.ones((N, K)), "finite and >= 0"),
        (np.zeros((N, K)), "row 0 no possible class"),
        (np.full(N, 0.5), r"integers \(n,\)"),
        (np.full(N, "a"), "dtype"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        fit_with(labels)


def test_a_class_that_is_observed_takes_no_evidence():
    model = em.with_labels(models.two_coins, z=np.zeros(5, int))
    with pytest.raises(ValueError, match="observed already"):
        em.EM(model).run(KEY, np.array([1, 2, 3, 4, 5]), z=np.zeros(5, int), num_tosses=9)


def test_no_labels_at_all():
    with pytest.raises(ValueError, match="by site"):
        em.with_labels(models.poisson_mixture)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_are_arrays_and_their_gaps_are_nan(kind, x64):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2)) + np.repeat([[0.0], [5.0]], 20, 0)
    gaps = np.where(rng.random(x.shape) < 0.1, np.nan, x)
    options = {"num_components": 2, "covariance": "diagonal"}
    fitter = em.EM(models.gaussian_mixture, num_restarts=2)
    plain = fitter.run(KEY, gaps, **options)
    if kind == "pandas":
        given = pd.DataFrame(gaps, columns=["a", "b"]).astype("Float64")
    else:
        given = pl.DataFrame(gaps, schema=["a", "b"], nan_to_null=True)
    assert (given["a"].isna() if kind == "pandas" else given["a"].is_null()).any()
    frame = fitter.run(KEY, given, **options)
    assert frame.log_likelihood == plain.log_likelihood
    np.testing.assert_array_equal(frame.params["loc"], plain.params["loc"])
    assert jnp.isfinite(frame.log_prob()).all()
