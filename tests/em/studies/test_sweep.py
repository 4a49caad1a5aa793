"""Sweeps and cross-validation: the same numbers as fit by fit."""

import functools

import jax
import numpy as np
import pytest
from scipy import stats

from mixpyro import em, models

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
_rng = np.random.default_rng(3)
X = np.concatenate([_rng.normal((-4, 0), 1.0, (50, 2)), _rng.normal((4, 1), 1.0, (70, 2))])


@functools.cache
def swept():
    fitter = em.EM(models.gaussian_mixture, num_restarts=2)
    return em.sweep(fitter, KEY, X, num_components=range(1, 4), covariance=("tied",))


def test_the_table_has_a_row_a_fit():
    found = swept()
    table = found.table
    assert list(table["num_components"]) == [1, 2, 3]
    assert set(table["covariance"]) == {"tied"}
    expected = [k - 1 + 2 * k + 3 for k in (1, 2, 3)]
    assert list(table["num_free_params"]) == expected
    heads, *lines = str(found).splitlines()
    assert heads.split() == list(table)
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert repr(found) == "Sweep(3 fits over num_components, covariance)"
    for (_, row), fit in zip(table.iterrows(), found.fits, strict=True):
        assert row["bic"] == pytest.approx(
            -2 * row["log_likelihood"] + row["num_free_params"] * np.log(len(X))
        )
        assert row["aic"] == -2 * row["log_likelihood"] + 2 * row["num_free_params"]
        assert row["status"] == fit.status.name
        resp = np.asarray(fit.responsibilities())
        assert row["entropy"] == pytest.approx(stats.entropy(resp, axis=1).sum(), abs=1e-9)
    one = stats.multivariate_normal(X.mean(0), np.cov(X.T, bias=True)).logpdf(X).sum()
    assert table["log_likelihood"][0] == pytest.approx(one)
    assert found.best("bic") is found.fits[1]
    assert found.best("log_likelihood").log_likelihood == max(
        f.log_likelihood for f in found.fits if f.status.ok
    )


def test_bad_sweeps_are_refused():
    with pytest.raises(ValueError, match="range"):
        em.sweep(models.gaussian_mixture, KEY, X, num_components=2)
    with pytest.raises(ValueError, match="empty"):
        em.sweep(models.gaussian_mixture, KEY, X, num_components=[])
    with pytest.raises(ValueError, match="criterion"):
        swept().best("mdl")


def test_held_out_rows_are_scored_by_the_others():
    """One component: the mean and covariance of the other folds, by NumPy."""
    found = em.cross_validate(
        models.gaussian_mixture, KEY, X, num_components=1, covariance="tied", num_folds=3
    )
    assert sorted(np.bincount(found.folds)) == [40, 40, 40]
    expected = np.empty(len(X))
    for fold in range(3):
        held = found.folds == fold
        others = X[~held]
        law = stats.multivariate_normal(others.mean(0), np.cov(others.T, bias=True))
        expected[held] = law.logpdf(X[held])
    np.testing.assert_allclose(found.per_row, expected, rtol=1e-7)
    assert found.log_likelihood == pytest.approx(expected.sum())
    np.testing.assert_allclose(found.by_fold, [expected[found.folds == f].sum() for f in range(3)])


@pytest.mark.slow
def test_two_components_predict_better_than_one_and_nothing_recompiles(watch_jax):
    how = {"covariance": "tied", "num_folds": 3, "num_restarts": 2}
    one, two = (
        em.cross_validate(models.gaussian_mixture, KEY, X, num_components=k, **how) for k in (1, 2)
    )
    assert two.log_likelihood > one.log_likelihood + 10
    other = jax.random.key(4)
    with watch_jax() as work:
        again = em.cross_validate(models.gaussian_mixture, other, X, num_components=2, **how)
    assert work.compiled == []
    assert again.log_likelihood == pytest.approx(two.log_likelihood, abs=10)
    with pytest.raises(ValueError, match="num_folds"):
        em.cross_validate(models.gaussian_mixture, KEY, X, num_components=1, num_folds=1)


def test_cross_validation_takes_an_em():
    fitter = em.EM(models.poisson_mixture, num_restarts=3, max_steps=300, tolerance=1e-5)
    counts = np.r_[np.arange(12) % 4, 12 + np.arange(8) % 5]
    options = {"num_restarts": 3, "max_steps": 300, "tolerance": 1e-5}
    by_em = em.cross_validate(fitter, jax.random.key(0), counts, num_components=2, num_folds=4)
    by_model = em.cross_validate(
        models.poisson_mixture, jax.random.key(0), counts, num_components=2, num_folds=4, **options
    )
    assert by_em.log_likelihood == by_model.log_likelihood
    with pytest.raises(ValueError, match="give an EM without other choices"):
        em.cross_validate(em.EM(models.poisson_mixture, assign="hard"), jax.random.key(0), counts)
