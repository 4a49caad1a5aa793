"""Held-out log-likelihood, by formulas."""

import jax
import numpy as np
import pytest
from scipy import stats

from mixpyro import em, models

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
_rng = np.random.default_rng(3)
X = np.concatenate([_rng.normal((-4, 0), 1.0, (50, 2)), _rng.normal((4, 1), 1.0, (70, 2))])


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
