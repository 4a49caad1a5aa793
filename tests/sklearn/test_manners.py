"""Pipelines, searches, pickles, frames, weights by routing, and models of one's own."""

import pickle
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Theirs
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mixpyro import models
from mixpyro.sklearn import GaussianMixture, Mixture

FRAME = load_iris(as_frame=True).data
X = FRAME.to_numpy()
START = X[[10, 60, 120]]
DIAGONAL = GaussianMixture(3, covariance_type="diag", means_init=START, random_state=0)
# The flowers are sorted by their species.
HALVES = KFold(2, shuffle=True, random_state=0)


def test_frames_come_and_go():
    model = clone(DIAGONAL).fit(FRAME)
    assert list(model.feature_names_in_) == list(FRAME.columns)
    assert model.n_features_in_ == 4
    out = clone(DIAGONAL).set_output(transform="pandas").fit(FRAME).transform(FRAME[:3])
    assert isinstance(out, pd.DataFrame)
    assert list(out.columns) == [f"gaussianmixture{k}" for k in range(3)]
    np.testing.assert_allclose(out, model.predict_proba(FRAME[:3]))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(FRAME[FRAME.columns[::-1]])


def test_pickles_are_read_in_double_precision():
    model = clone(DIAGONAL).fit(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.fit_.params["loc"].dtype == np.float64
    table = again.fit_.summary()
    # The first species stands alone: its means have the standard errors of its own rows.
    alone = np.sqrt(model.covariances_[0] / (150 * model.weights_[0]))
    errors = [table.loc[f"loc[0, {d}]", "standard_error"] for d in range(4)]
    np.testing.assert_allclose(np.array(errors, float), alone, rtol=1e-3)


@pytest.mark.slow
def test_a_pipeline_and_a_search():
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(n_init=2, random_state=0))
    grid = {
        "gaussianmixture__n_components": [1, 2],
        "gaussianmixture__covariance_type": ["tied", "diag"],
    }
    search = GridSearchCV(pipeline, grid, cv=HALVES, refit=False).fit(X)
    own = make_pipeline(StandardScaler(), Theirs(n_init=5, reg_covar=0, tol=1e-8, random_state=0))
    theirs = GridSearchCV(own, grid, cv=HALVES, refit=False).fit(X)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-3
    )


@pytest.mark.slow
def test_weights_are_routed():
    weights = 1.0 + np.arange(150) % 3
    with sklearn.config_context(enable_metadata_routing=True):
        model = clone(DIAGONAL).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"n_components": [3]}, cv=HALVES).fit(X, sample_weight=weights)
    alone = clone(DIAGONAL).fit(X, sample_weight=weights)
    np.testing.assert_allclose(search.best_estimator_.means_, alone.means_, rtol=1e-9)
    repeated = alone.score(np.repeat(X, weights.astype(int), 0))
    assert alone.score(X, sample_weight=weights) == pytest.approx(repeated, abs=1e-12)


def test_what_did_not_converge_warns_with_the_sentence():
    with pytest.warns(ConvergenceWarning, match="Raise max_iter, or loosen tol") as record:
        model = clone(DIAGONAL).set_params(max_iter=2).fit(X)
    assert record[0].filename == __file__
    assert not model.converged_
    twice = np.repeat(np.eye(3), 2, 0)
    with pytest.warns(ConvergenceWarning, match="unbounded"):
        GaussianMixture(3, random_state=0, n_init=2).fit(twice)


def test_gaps_in_normal_rows():
    gaps = np.where(np.arange(600).reshape(150, 4) % 11 == 0, np.nan, X)
    model = clone(DIAGONAL).fit(gaps)
    r, known = model.predict_proba(gaps), ~np.isnan(gaps)
    means = r.T @ np.where(known, gaps, 0) / (r.T @ known)
    np.testing.assert_allclose(model.means_, means, atol=1e-4)


def shells(x, num_components, scale=0.5):
    """Distances from the origin: normal about a radius of their class."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        radius = numpyro.sample("radius", dist.HalfNormal(5.0))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(radius[z], scale), obs=x)


def test_a_model_of_ones_own():
    distance = np.linalg.norm(X - X.mean(0), axis=1)[:, None]
    model = Mixture(shells, ravel=True, num_components=2, n_init=2, random_state=0)
    assert clone(model).get_params()["num_components"] == 2
    assert "num_components=2" in repr(model)
    model.fit(distance)
    assert model.params_["radius"].shape == (2,)
    own = Theirs(2, covariance_type="spherical")
    own.weights_, own.means_ = model.weights_, model.params_["radius"][:, None]
    own.precisions_cholesky_ = np.full(2, 2.0)
    np.testing.assert_allclose(model.score_samples(distance), own.score_samples(distance))
    np.testing.assert_allclose(model.predict_proba(distance), own.predict_proba(distance))
    drawn, _ = model.sample(50)
    assert drawn.shape == (50, 1)
    model.set_params(scale=0.3, max_iter=500)
    assert model.get_params()["scale"] == 0.3
    with pytest.raises(ValueError, match="neither it nor its model takes that"):
        model.set_params(radius=1.0)
    with pytest.raises(ValueError, match="ravel is for rows with one feature"):
        model.fit(X)
    with pytest.raises(ValueError, match="model must be a NumPyro model"):
        Mixture().fit(X)
    chain = Mixture(models.hidden_markov, ravel=True, num_components=1, emission="normal")
    with pytest.raises(ValueError, match="one latent class for each row"):
        chain.fit(distance[:20])


@pytest.mark.slow
def test_a_model_of_the_collection():
    search = GridSearchCV(
        Mixture(models.student_t_mixture, num_components=1, n_init=2, random_state=0),
        {"num_components": [1, 2]},
        cv=HALVES,
    ).fit(X[:, [0, 2]])
    assert search.best_params_ == {"num_components": 2}


def test_without_scikit_learn_a_sentence():
    code = "import sys; sys.modules['sklearn'] = None; import mixpyro.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: mixpyro.sklearn needs scikit-learn" in done.stderr.splitlines()[-1]


def test_a_model_is_shown_by_its_name():
    assert repr(Mixture(models.gaussian_mixture, num_components=2)) == (
        "Mixture(model=gaussian_mixture, num_components=2)"
    )


def test_an_array_among_the_settings_is_no_weight_of_rows():
    """When components are put in order: their rows count by the weights of rows alone."""

    def known_scales(x, scales):
        weights = numpyro.sample("weights", dist.Dirichlet(np.ones(2)))
        with numpyro.plate("components", 2):
            loc = numpyro.sample("loc", dist.Normal(0.0, 100.0))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], scales[z]), obs=x)

    x = np.r_[np.linspace(9, 11, 20), np.linspace(-1, 1, 10)][:, None]
    found = Mixture(known_scales, ravel=True, scales=np.array([0.7, 0.6]), random_state=0).fit(x)
    np.testing.assert_allclose(np.sort(found.params_["loc"]), [0, 10], atol=1e-3)
