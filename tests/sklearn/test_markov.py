"""Hidden Markov models as estimators: published numbers, and sums over all paths."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from mixpyro.data import load_earthquakes
from mixpyro.sklearn import HiddenMarkov

COUNTS = load_earthquakes()[["earthquakes"]]
LENGTHS = [40, 60, 7]
RNG = np.random.default_rng(0)


@pytest.mark.slow
def test_earthquakes():
    """Zucchini & MacDonald (2009), table 3.3: two states have -log L = 341.8787."""
    model = HiddenMarkov(2, emission="poisson", random_state=0).fit(COUNTS)
    assert model.score(COUNTS) == pytest.approx(-341.8787, abs=1e-4)
    np.testing.assert_allclose(model.lambdas_[:, 0], [15.421, 26.018], atol=1e-3)
    np.testing.assert_allclose(model.transmat_, [[0.9284, 0.0716], [0.1190, 0.8810]], atol=1e-4)
    # Filling up adds no steps to those that BIC counts: 1 + 2 + 2 parameters, 107 years.
    assert model.bic(COUNTS) == pytest.approx(2 * 341.8787 + 5 * np.log(107), abs=1e-3)
    assert model.fit_.bic == pytest.approx(model.bic(COUNTS), abs=1e-9)
    assert model.feature_names_in_ == ["earthquakes"]


def by_paths(model, x):
    """log p(x), the best path, and the smoothed probabilities, over all paths of one sequence."""
    each = stats.poisson.logpmf(x[:, None], model.lambdas_).sum(-1)
    paths = np.array(list(itertools.product(range(len(model.startprob_)), repeat=len(x))))
    with np.errstate(divide="ignore"):
        start, move = np.log(model.startprob_), np.log(model.transmat_)
    logs = start[paths[:, 0]] + move[paths[:, :-1], paths[:, 1:]].sum(1)
    logs = logs + np.take_along_axis(each, paths.T, 1).sum(0)
    shares = np.exp(logs - logsumexp(logs))
    smooth = np.stack([shares @ (paths == k) for k in range(len(model.startprob_))], 1)
    return logsumexp(logs), paths[logs.argmax()], smooth


@pytest.mark.slow
def test_several_sequences():
    model = HiddenMarkov(2, emission="poisson", n_init=2, random_state=0)
    counts = COUNTS.to_numpy()
    model.fit(counts, lengths=LENGTHS)
    x = np.array([[10], [12], [30], [25], [9], [31], [8], [11]])
    ends = [0, 5, 8]
    found = [by_paths(model, x[a:b]) for a, b in itertools.pairwise(ends)]
    lengths = [5, 3]
    np.testing.assert_allclose(model.score_samples(x, lengths), [f[0] for f in found], atol=1e-9)
    assert model.score(x, lengths=lengths) == pytest.approx(sum(f[0] for f in found), abs=1e-9)
    np.testing.assert_array_equal(model.predict(x, lengths), np.concatenate([f[1] for f in found]))
    smooth = np.concatenate([f[2] for f in found])
    np.testing.assert_allclose(model.predict_proba(x, lengths), smooth, atol=1e-9)
    model.set_params(algorithm="map")
    np.testing.assert_array_equal(model.predict(x, lengths), smooth.argmax(1))
    # The sequences' sum is what was climbed.
    total = model.score(counts, lengths=LENGTHS)
    assert model.lower_bound_ * len(COUNTS) == pytest.approx(total, abs=1e-6)
    drawn, states = model.sample(2000)
    assert drawn.shape == (2000, 1)
    for k in range(2):
        mean, rate = drawn[states == k].mean(), model.lambdas_[k, 0]
        assert mean == pytest.approx(rate, abs=5 * np.sqrt(rate / (states == k).sum()))


@pytest.mark.slow
def test_normal_states_with_gaps():
    states = np.repeat([0, 1, 0, 1], 30)
    x = RNG.normal(np.array([[0.0, 3.0], [5.0, -1.0]])[states], [1.0, 0.5])
    x[::9, 0] = np.nan
    model = HiddenMarkov(2, covariance_type="diag", n_init=2, random_state=0).fit(x)
    np.testing.assert_array_equal(model.predict(x), states)
    # States are all but certain, so that estimates are those of the rows of each.
    for k in range(2):
        own = x[states == k]
        np.testing.assert_allclose(model.means_[k], np.nanmean(own, 0), atol=1e-2)
        np.testing.assert_allclose(model.covariances_[k], np.nanvar(own, 0), atol=1e-2)


def test_what_is_refused():
    model = HiddenMarkov(2, emission="poisson")
    with pytest.raises(ValueError, match="lengths add up to 106, but X has 107 rows"):
        model.fit(COUNTS, lengths=[100, 6])
    with pytest.raises(ValueError, match="lengths must be whole numbers >= 1"):
        model.fit(COUNTS, lengths=[107, 0])
    with pytest.raises(ValueError, match="emission must be one of 'gaussian'"):
        HiddenMarkov(2, emission="normal").fit(COUNTS)
    with pytest.raises(ValueError, match="needed are categories"):
        HiddenMarkov(2, emission="categorical").fit(COUNTS + 0.5)
    with pytest.raises(ValueError, match="covariance_type must be one of"):
        HiddenMarkov(2, covariance_type="VEV").fit(COUNTS)
