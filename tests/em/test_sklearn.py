"""Step for step with scikit-learn from the same start."""

import jax
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from mixpyro import em, models

KEY = jax.random.key(0)
STEPS = 7

pytestmark = pytest.mark.usefixtures("x64")

IRIS = load_iris().data
# Not the best start, so that seven steps are far from the end.
LOC = IRIS[[10, 60, 61]] + 0.1
WEIGHTS = np.array([0.5, 0.2, 0.3])
VARIANCE = IRIS.var(0)
FULL = np.array([0.4, 0.7, 0.5])[:, None, None] * (np.cov(IRIS.T) + 0.3 * np.eye(4))

# Ours and theirs: the name, its start, the precisions of the start, our parameter from theirs.
STRUCTURES = {
    "full": ("full", "covariance_matrix", FULL, np.linalg.inv(FULL), lambda c: c),
    "tied": ("tied", "covariance_matrix", FULL[0], np.linalg.inv(FULL[0]), lambda c: c),
    "diagonal": (
        "diag",
        "scale",
        np.sqrt(VARIANCE * np.array([[0.5], [0.7], [0.6]])),
        1 / (VARIANCE * np.array([[0.5], [0.7], [0.6]])),
        np.sqrt,
    ),
    "spherical": (
        "spherical",
        "scale",
        np.array([0.6, 0.8, 0.7]),
        1 / np.square([0.6, 0.8, 0.7]),
        np.sqrt,
    ),
}


@pytest.mark.parametrize("covariance", STRUCTURES)
def test_the_same_steps_as_gaussian_mixture(covariance):
    theirs, name, start, precisions, express = STRUCTURES[covariance]
    mixture = GaussianMixture(
        3,
        covariance_type=theirs,
        reg_covar=0,
        tol=0,
        max_iter=STEPS,
        weights_init=WEIGHTS,
        means_init=LOC,
        precisions_init=precisions,
    )
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        mixture.fit(IRIS)
    assert mixture.n_iter_ == STEPS

    fit = em.EM(models.gaussian_mixture, max_steps=STEPS, tolerance=0).run(
        KEY,
        IRIS,
        num_components=3,
        covariance=covariance,
        init_params={"weights": WEIGHTS, "loc": LOC, name: start},
    )
    assert fit.num_steps == STEPS
    assert fit.status is em.Status.MAX_STEPS
    np.testing.assert_allclose(fit.params["weights"], mixture.weights_, rtol=1e-6)
    np.testing.assert_allclose(fit.params["loc"], mixture.means_, rtol=1e-6)
    np.testing.assert_allclose(
        fit.params[name], express(mixture.covariances_), rtol=1e-6, atol=1e-8
    )
    assert fit.log_likelihood == pytest.approx(mixture.score_samples(IRIS).sum(), rel=1e-6)
    # Theirs is the mean before the last M-step, one step behind ours.
    assert fit.trace[-2] == pytest.approx(len(IRIS) * mixture.lower_bound_, rel=1e-6)
    np.testing.assert_allclose(fit.log_prob(), mixture.score_samples(IRIS), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fit.responsibilities(), mixture.predict_proba(IRIS), atol=1e-6)
    assert fit.num_free_params == mixture._n_parameters()
    assert fit.bic == pytest.approx(mixture.bic(IRIS), rel=1e-6)
    assert fit.aic == pytest.approx(mixture.aic(IRIS), rel=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_same_clusters_as_lloyds_kmeans(weighted):
    init = IRIS[[0, 51, 57]]
    weights = np.random.default_rng(0).uniform(0.5, 3, len(IRIS)) if weighted else None
    lloyd = KMeans(3, init=init, n_init=1, algorithm="lloyd", tol=0)
    theirs = lloyd.fit(IRIS, sample_weight=weights)
    ours = em.kmeans(IRIS, 3, KEY, init=init, weights=weights)
    assert ours.status is em.Status.CONVERGED
    # Single moves may go on where Lloyd's algorithm ends; there it stays.
    assert ours.inertia <= theirs.inertia_ * (1 + 1e-10)
    assert (ours.labels != theirs.labels_).sum() <= 1
    lloyd.set_params(init=np.asarray(ours.centroids))
    theirs = lloyd.fit(IRIS, sample_weight=weights)
    np.testing.assert_array_equal(ours.labels, theirs.labels_)
    np.testing.assert_allclose(ours.centroids, theirs.cluster_centers_, rtol=1e-10)
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-10)


def test_a_weight_of_zero_drops_the_row_from_kmeans():
    rows = np.arange(len(IRIS)) % 7 != 3
    init = IRIS[[0, 51, 57]]
    theirs = KMeans(3, init=init, n_init=1, algorithm="lloyd", tol=0).fit(IRIS[rows])
    ours = em.kmeans(IRIS, 3, KEY, init=init, weights=rows.astype(float))
    np.testing.assert_allclose(ours.centroids, theirs.cluster_centers_, rtol=1e-10)
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-10)
    np.testing.assert_array_equal(ours.labels[rows], theirs.labels_)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.slow
def test_a_hundred_separated_blobs_are_all_found(seed):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(100), 15))
    x = np.stack([truth % 10, truth // 10], 1) * 10 + rng.normal(size=(1500, 2))
    found = em.kmeans(x, 100, jax.random.key(seed))
    assert adjusted_rand_score(truth, found.labels) == 1
    means = np.stack([x[truth == k].mean(0) for k in range(100)])
    assert found.inertia == pytest.approx(((x - means[truth]) ** 2).sum(), rel=1e-10)
