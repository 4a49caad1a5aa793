"""Counts and categories: densities by SciPy, gaps, weights, and what is refused."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from mixpyro.sklearn import BernoulliMixture, LatentClass, PoissonMixture

RNG = np.random.default_rng(0)
N = 120
CLASS = RNG.random(N) < 0.4
COUNTS = RNG.poisson(np.where(CLASS[:, None], [9.0, 1.0, 4.0], [2.0, 6.0, 4.0]))
BINARY = (RNG.random((N, 5)) < np.where(CLASS[:, None], 0.85, 0.2)).astype(int)
ITEMS = np.where(RNG.random((N, 4)) < 0.75, CLASS[:, None] * 2, 1)
GAPS = RNG.random((N, 5)) < 0.15

KINDS = {
    "poisson": (PoissonMixture(2, n_init=4, random_state=0), COUNTS),
    "bernoulli": (BernoulliMixture(2, n_init=4, random_state=0), BINARY),
    "latent class": (LatentClass(2, n_init=4, random_state=0), ITEMS),
}


def log_joint(model, x):
    """(n, k) log of weight and density of the entries that are there, by SciPy."""
    known = ~np.isnan(x)
    x = np.where(known, x, 0).astype(int)
    if isinstance(model, PoissonMixture):
        each = stats.poisson.logpmf(x[:, None], model.means_)
    elif isinstance(model, BernoulliMixture):
        each = stats.bernoulli.logpmf(x[:, None], model.means_)
    else:
        columns = [np.log(p)[:, x[:, d]].T for d, p in enumerate(model.feature_prob_)]
        each = np.stack(columns, -1)
    return np.log(model.weights_) + np.where(known[:, None], each, 0).sum(-1)


def check_optimum(model, x):
    """Densities are SciPy's, and the parameters the textbook's M-step of their own classes."""
    joint = log_joint(model, x)
    rows = logsumexp(joint, axis=1)
    np.testing.assert_allclose(model.score_samples(x), rows, atol=1e-9)
    np.testing.assert_allclose(model.predict_proba(x), np.exp(joint - rows[:, None]), atol=1e-9)
    assert model.lower_bound_ == pytest.approx(rows.mean(), abs=1e-9)
    r, known = np.exp(joint - rows[:, None]), ~np.isnan(x)
    np.testing.assert_allclose(model.weights_, r.mean(0), atol=1e-5)
    share = r.T @ known
    if isinstance(model, LatentClass):
        for d, probs in enumerate(model.feature_prob_):
            for c in range(probs.shape[1]):
                np.testing.assert_allclose(
                    probs[:, c], r.T @ (x[:, d] == c) / share[:, d], atol=1e-4
                )
    else:
        np.testing.assert_allclose(
            model.means_, r.T @ np.where(known, x, 0) / share, rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_optimum_by_scipy(kind):
    model, x = KINDS[kind]
    check_optimum(model.fit(x), x.astype(float))
    assert model.converged_
    hits = (model.predict(x) == CLASS).mean()
    assert max(hits, 1 - hits) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_gaps_are_left_out(kind):
    model, x = KINDS[kind]
    gaps = np.where(GAPS[:, : x.shape[1]], np.nan, x)
    gaps[3] = np.nan
    check_optimum(model.fit(gaps), gaps)
    # Nothing known of a row: its classes are the weights.
    np.testing.assert_allclose(model.predict_proba(gaps[3:4])[0], model.weights_, atol=1e-12)
    assert model.score_samples(gaps[3:4]) == pytest.approx([0], abs=1e-12)
    full = x[:5].astype(float)
    np.testing.assert_allclose(model.score_samples(full), logsumexp(log_joint(model, full), 1))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_repeated_rows(kind):
    model, x = KINDS[kind]
    weights = RNG.integers(0, 4, N)
    one = model.fit(x, sample_weight=weights).predict_proba(x)
    bound, means = model.lower_bound_, model.weights_
    other = model.fit(RNG.permutation(np.repeat(x, weights, 0))).predict_proba(x)
    np.testing.assert_allclose(one, other, atol=1e-3)
    assert bound == pytest.approx(model.lower_bound_, abs=1e-10)
    np.testing.assert_allclose(means, model.weights_, atol=1e-4)


def test_samples_are_whole_numbers_of_the_right_means():
    model, x = KINDS["poisson"]
    drawn, classes = model.fit(x).sample(20_000)
    assert drawn.shape == (20_000, 3)
    assert np.array_equal(drawn, np.round(drawn))
    error = np.sqrt(model.means_.max() / 5_000)
    for k in range(2):
        np.testing.assert_allclose(drawn[classes == k].mean(0), model.means_[k], atol=5 * error)
    np.testing.assert_allclose(np.bincount(classes) / 20_000, model.weights_, atol=0.02)


def test_numbers_of_categories():
    x = np.array([[0, 1], [1, 0], [0, 2], [1, 1]] * 5)
    model = LatentClass(1, min_categories=[2, 4]).fit(x)
    assert [p.shape for p in model.feature_prob_] == [(1, 2), (1, 4)]
    np.testing.assert_allclose(model.feature_prob_[1][0], [0.25, 0.5, 0.25, 0], atol=1e-12)
    assert model.score_samples([[0, 3]]) == [-np.inf]
    with pytest.raises(ValueError, match="category 4 in column 1, which had 4 categories"):
        model.predict([[0, 4]])
    with pytest.raises(ValueError, match="min_categories must be"):
        LatentClass(1, min_categories=[2, 3, 4]).fit(x)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"row 1, column 0 has 1\.5; needed are counts"):
        PoissonMixture(2).fit([[1, 2], [1.5, 2], [3, 4]])
    with pytest.raises(ValueError, match="Negative values in data: row 0, column 1 has -2"):
        PoissonMixture(2).fit([[1, -2], [1, 2], [3, 4]])
    with pytest.raises(ValueError, match="row 2, column 1 has 2; needed are 0 and 1"):
        BernoulliMixture(2).fit([[1, 0], [1, 1], [0, 2]])
    with pytest.raises(ValueError, match="n_components must be a whole number"):
        PoissonMixture(0).fit(COUNTS)
    with pytest.raises(ValueError, match="max_iter must be a whole number"):
        PoissonMixture(1, max_iter=0).fit(COUNTS)
