"""Restarts, collapses and emptied clusters: what climbs report of themselves."""

import jax
import numpy as np
import pytest
from scipy import special, stats

from mixpyro import em, models

from ..two_normals import KEY, N, X, joint, normals

pytestmark = pytest.mark.usefixtures("x64")
_rng = np.random.default_rng(23)


def test_twenty_tied_values_never_give_a_singular_component_silently():
    """A component on 20 equal values has no positive scale: its likelihood is unbounded."""
    x = np.concatenate([np.full(20, 1.5), _rng.normal(0, 2, 40)])
    fit = em.EM(normals, num_restarts=4).run(KEY, x, num_components=2)
    params = {n: np.asarray(v) for n, v in fit.params.items()}
    assert all(np.isfinite(v).all() for v in params.values())
    if fit.status is em.Status.CONVERGED:
        assert params["scale"].min() > 0.01
        expected = special.logsumexp(joint(x, params), axis=1).sum()
        assert fit.log_likelihood == pytest.approx(expected, abs=1e-6)
    else:
        assert fit.status in (em.Status.COLLAPSED, em.Status.NEARLY_SINGULAR)
        assert "hare the scale" in fit.message
        assert "fewer components" in fit.message


def test_a_start_on_the_tied_values_collapses_and_says_so():
    x = np.concatenate([np.full(20, 1.5), _rng.normal(0, 2, 40)])
    init = {"weights": np.array([0.4, 0.6]), "loc": np.array([1.5, 0.0]), "scale": [0.02, 2.0]}
    fit = em.EM(normals).run(KEY, x, num_components=2, init_params=init)
    assert fit.status is em.Status.COLLAPSED
    assert not fit.status.ok
    for remedy in ("Share the scale", "handlers.condition", "fewer components", "prior"):
        assert remedy in fit.message
    assert all(np.isfinite(v).all() for v in fit.params.values())
    assert list(fit.restarts["status"]) == ["COLLAPSED"]
    with pytest.raises(em.FitError, match="unbounded"):
        em.EM(normals, throw=True).run(KEY, x, num_components=2, init_params=init)


@pytest.mark.parametrize("accelerate", [None, "quasi-newton"])
def test_a_scale_of_zero_is_not_returned(accelerate):
    """A class's line goes through its rows: the step that finds its scale to be 0 is not taken."""
    rng = np.random.default_rng(1)
    line = np.column_stack([np.ones(14), np.linspace(-2, 2, 14)])
    others = line @ [-4.0, -1.0] + rng.normal(size=14)
    y = np.where(np.arange(14) % 2, line @ [1.0, 2.0], others)
    climb = em.EM(models.linear_regression_mixture, num_restarts=1, accelerate=accelerate)
    with jax.enable_x64(False):
        fit = climb.run(1, y, num_components=2, covariates=line)
        assert fit.status is em.Status.COLLAPSED
        scale, loc = fit.params["scale"], line @ np.asarray(fit.params["coefficients"], float).T
        each = stats.norm.logpdf(y[:, None], loc, scale) + np.log(fit.params["weights"])
        np.testing.assert_allclose(fit.log_prob(), special.logsumexp(each, 1), rtol=2e-3)
    assert np.diff(fit.trace).min() >= 0
    assert fit.log_likelihood == pytest.approx(special.logsumexp(each, 1).sum(), rel=1e-3)


@pytest.fixture(scope="module")
def collapsed():
    with jax.enable_x64(True):
        x = np.column_stack([X, np.full(N, 2.0)])
        return em.EM(models.gaussian_mixture, num_restarts=2).run(KEY, x, num_components=2)


def test_a_constant_column_collapses_with_finite_parameters(collapsed):
    assert collapsed.status is em.Status.COLLAPSED
    assert "unbounded" in collapsed.message
    assert all(np.isfinite(v).all() for v in collapsed.params.values())


def test_no_nan_leaves_the_summary_of_a_collapsed_fit(collapsed):
    table = collapsed.summary()
    assert np.isfinite(table["estimate"]).all()
    missing = table["standard_error"].isna()
    assert (table.loc[missing, "note"] != "").all()


def test_kmeans_reseeds_an_emptied_cluster_and_says_so():
    x = np.array([[0.0, 0.0], [0.2, 0.0], [0.0, 0.2], [5.0, 5.0], [5.2, 5.0], [5.0, 5.2]])
    found = em.kmeans(x, 2, KEY, init=np.array([[2.5, 2.5], [1e3, 1e3]]))
    assert np.bincount(found.labels, minlength=2).tolist() in ([3, 3],)
    centroids = np.asarray(found.centroids)
    expected = np.array([x[:3].mean(0), x[3:].mean(0)])
    np.testing.assert_allclose(centroids[np.argsort(centroids[:, 0])], expected, atol=1e-9)
    inertia = sum(((part - part.mean(0)) ** 2).sum() for part in (x[:3], x[3:]))
    assert found.inertia == pytest.approx(inertia)
    assert found.fit.reseeded >= 1
    assert "re-seeded" in found.message
    assert found.status is em.Status.CONVERGED


def test_rounding_of_nearly_collinear_columns_is_no_fall():
    """A covariance of condition 1e6: its distances are off by 1e-10, and EM is not to blame."""
    rng = np.random.default_rng(0)
    along = np.where(rng.random(2000) < 0.4, 0.0, 2.0) + rng.normal(size=2000)
    x = np.stack([along, along + 0.001 * rng.normal(size=2000)], 1)
    fit = em.EM(models.gaussian_mixture, num_restarts=2).run(0, x, num_components=2)
    assert fit.base_status is em.Status.CONVERGED
    each = [
        stats.multivariate_normal(m, c).logpdf(x)
        for m, c in zip(fit.params["loc"], fit.params["covariance_matrix"], strict=True)
    ]
    own = np.logaddexp(*(np.log(np.asarray(fit.params["weights"]))[:, None] + each)).sum()
    assert fit.log_likelihood == pytest.approx(own, abs=1e-6)


def log_likelihood(x, weights, loc, covariance):
    each = [stats.multivariate_normal(m, covariance).logpdf(x) for m in loc]
    return special.logsumexp(np.log(weights)[:, None] + each, 0).sum()


def test_a_shared_covariance_far_narrower_than_the_data(precision):
    """A code for missing values in one column: climbs to the top fell by rounding only.

    They were LOWERED, and a start that took the code's distance for a width was the best.
    """
    rng = np.random.default_rng(0)
    group = np.where(rng.random(500) < 0.4, 0, 1)
    x = rng.normal(size=(500, 3)) * [1, 1, 2]
    x[:, 0] += 5 * group
    group[rng.random(500) < 0.05] = 2
    x[group == 2, 1] = 99_999
    fit = em.EM(models.gaussian_mixture).run(0, x, num_components=3, covariance="tied")
    assert fit.status is em.Status.CONVERGED, fit.message
    x = np.asarray(x, precision).astype(float)
    means = np.stack([x[group == j].mean(0) for j in range(3)])
    within = (x - means[group]).T @ (x - means[group]) / len(x)
    of_groups = log_likelihood(x, np.bincount(group) / len(x), means, within)
    assert fit.log_likelihood > of_groups
    weights, loc, covariance = (
        np.asarray(fit.params[n], float) for n in ("weights", "loc", "covariance_matrix")
    )
    own = log_likelihood(x, weights / weights.sum(), loc, covariance)
    assert fit.log_likelihood == pytest.approx(own, abs=0.01)
