"""The same numbers as scikit-learn's own mixtures and clusters, where both find the optimum."""

import numpy as np
import pytest
import sklearn.cluster
import sklearn.mixture
from sklearn.datasets import load_iris

from mixpyro.sklearn import GaussianMixture, KMeans

SLOW = pytest.mark.slow
X = load_iris().data
NEW = X[::13] + 0.1
# Of every structure a start near an optimum, so that both climb the same hill.
START = X[[10, 60, 120]]


def theirs(covariance_type, **options):
    mixture = sklearn.mixture.GaussianMixture(
        3, covariance_type=covariance_type, tol=1e-12, max_iter=10_000, reg_covar=0, **options
    )
    return mixture.fit(X)


@pytest.mark.parametrize(
    "covariance_type",
    ["diag", *(pytest.param(t, marks=SLOW) for t in ("full", "tied", "spherical"))],
)
def test_the_common_optimum(covariance_type):
    ours = GaussianMixture(3, covariance_type=covariance_type, means_init=START, random_state=0)
    ours.fit(X)
    # From our optimum theirs stays.
    own = theirs(
        covariance_type,
        weights_init=ours.weights_,
        means_init=ours.means_,
        precisions_init=ours.precisions_,
    )
    assert ours.converged_
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert getattr(ours, name).shape == getattr(own, name).shape
        np.testing.assert_allclose(
            getattr(ours, name), getattr(own, name), rtol=1e-4, atol=1e-6, err_msg=name
        )
    assert ours.lower_bound_ == pytest.approx(own.lower_bound_, abs=1e-9)
    assert ours.lower_bounds_[-1] == ours.lower_bound_
    assert ours.score(NEW) == pytest.approx(own.score(NEW), abs=1e-4)
    np.testing.assert_allclose(ours.score_samples(NEW), own.score_samples(NEW), atol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(NEW), own.predict_proba(NEW), atol=1e-4)
    np.testing.assert_array_equal(ours.predict(NEW), own.predict(NEW))
    assert ours.bic(X) == pytest.approx(own.bic(X), abs=1e-5)
    assert ours.aic(X) == pytest.approx(own.aic(X), abs=1e-5)
    assert ours.fit_.bic == pytest.approx(own.bic(X), abs=1e-5)


@SLOW
def test_the_best_of_many_starts_is_found_by_default():
    ours = GaussianMixture(3, covariance_type="tied", random_state=0).fit(X)
    own = theirs("tied", n_init=20, random_state=0)
    order = np.argsort(own.means_[:, 0])
    assert ours.lower_bound_ >= own.lower_bound_ - 1e-9
    np.testing.assert_allclose(ours.means_, own.means_[order], atol=1e-4)


@SLOW
def test_single_precision_elsewhere_is_no_matter():
    """No digit of data far from 0 is lost, and JAX's default is as it was."""
    import jax

    assert not jax.config.jax_enable_x64
    near = GaussianMixture(3, covariance_type="tied", random_state=0).fit(X)
    far = GaussianMixture(3, covariance_type="tied", random_state=0).fit(X + 1e6)
    np.testing.assert_allclose(far.means_ - 1e6, near.means_, atol=1e-4)
    assert far.fit_.params["loc"].dtype == np.float64
    assert np.asarray(far.fit_.responsibilities()).dtype == np.float64
    assert not jax.config.jax_enable_x64


@SLOW
def test_a_mclust_structure():
    """BIC of VEV on the iris flowers with two components, mclust's choice: -561.7285."""
    ours = GaussianMixture(2, covariance_type="VEV", random_state=0).fit(X)
    assert ours.bic(X) == pytest.approx(561.7285, abs=1e-3)
    assert ours.covariances_.shape == (2, 4, 4)
    # The density by scikit-learn with these matrices.
    own = sklearn.mixture.GaussianMixture(2)
    own.weights_, own.means_, own.covariances_ = ours.weights_, ours.means_, ours.covariances_
    own.precisions_cholesky_ = ours.precisions_cholesky_
    np.testing.assert_allclose(ours.score_samples(NEW), own.score_samples(NEW), atol=1e-8)


def test_starting_values_are_where_it_starts():
    """One step from there is scikit-learn's own; components keep their order."""
    start = {
        "weights_init": [0.2, 0.5, 0.3],
        "means_init": X[[120, 10, 60]],
        "precisions_init": np.full((3, 4), 2.0),
    }
    options = {"covariance_type": "diag", "max_iter": 1, **start}
    with pytest.warns(sklearn.exceptions.ConvergenceWarning, match="max_iter"):
        ours = GaussianMixture(3, **options).fit(X)
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        own = sklearn.mixture.GaussianMixture(3, reg_covar=0, **options).fit(X)
    assert not ours.converged_
    assert ours.n_iter_ == 1
    np.testing.assert_allclose(ours.means_, own.means_, rtol=1e-10)
    np.testing.assert_allclose(ours.covariances_, own.covariances_, rtol=1e-8)
    np.testing.assert_allclose(ours.weights_, own.weights_, rtol=1e-10)


def test_a_warm_start_goes_on():
    ours = GaussianMixture(3, covariance_type="diag", warm_start=True, means_init=START).fit(X)
    first = ours.n_iter_
    again = ours.fit(X)
    assert again.n_iter_ < first / 2
    assert again.lower_bound_ >= again.lower_bounds_[0]


@pytest.mark.parametrize("weighted", [pytest.param(False, marks=SLOW), True])
def test_kmeans(weighted):
    weights = np.random.default_rng(0).uniform(0.5, 3, len(X)) if weighted else None
    ours = KMeans(3, random_state=0).fit(X, sample_weight=weights)
    own = sklearn.cluster.KMeans(3, init=ours.cluster_centers_, n_init=1, tol=0)
    own.fit(X, sample_weight=weights)
    best = sklearn.cluster.KMeans(3, n_init=20, tol=0, random_state=0)
    best.fit(X, sample_weight=weights)
    assert ours.inertia_ <= best.inertia_ * (1 + 1e-10)
    assert ours.inertia_ == pytest.approx(own.inertia_, rel=1e-10)
    np.testing.assert_allclose(ours.cluster_centers_, own.cluster_centers_, rtol=1e-10)
    np.testing.assert_array_equal(ours.labels_, own.labels_)
    np.testing.assert_array_equal(ours.predict(NEW), own.predict(NEW))
    np.testing.assert_allclose(ours.transform(NEW), own.transform(NEW), rtol=1e-10)
    assert ours.score(NEW) == pytest.approx(own.score(NEW), rel=1e-10)
    given = KMeans(3, init=ours.cluster_centers_[[2, 0, 1]]).fit(X, sample_weight=weights)
    np.testing.assert_allclose(given.cluster_centers_, ours.cluster_centers_[[2, 0, 1]], rtol=1e-10)


def test_nothing_is_added_to_covariances():
    assert GaussianMixture(reg_covar=0).get_params()["reg_covar"] == 0
    with pytest.raises(ValueError, match="reg_covar=1e-06 is not supported: nothing is added"):
        GaussianMixture(2, reg_covar=1e-6).fit(X)
