"""Data frames, and the shapes of new data: what does not fit the fit is named, not taken."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import polars as pl
import pytest

from mixpyro import em

KEY = jax.random.key(0)
_rng = np.random.default_rng(2)
GROUP = np.arange(60) % 2
X = np.array([[0.0, 10.0, -5.0], [6.0, 13.0, 5.0]])[GROUP] + _rng.normal(size=(60, 3))
COVARIATES = _rng.normal(size=(60, 2))
Y = np.where(GROUP, COVARIATES @ [2.0, -1.0], COVARIATES @ [-2.0, 3.0]) + _rng.normal(size=60) / 5
NAMES = ["a", "b", "c"]


def normals(x, num_components=2):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([x.shape[1]]).to_event(1))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], 1).to_event(1), obs=x)


def lines(y, design):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        slopes = numpyro.sample("slopes", dist.Normal(0, 5).expand([2]).to_event(1))
        scale = numpyro.sample("scale", dist.HalfNormal(1))
    with numpyro.plate("rows", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal((design["x"] * slopes[z]).sum(-1), scale[z]), obs=y)


@pytest.fixture(scope="module")
def fit():
    return em.EM(normals, num_restarts=2).run(KEY, pd.DataFrame(X, columns=NAMES))


@pytest.fixture(scope="module")
def line_fit():
    return em.EM(lines, num_restarts=6).run(KEY, Y, {"x": pd.DataFrame(COVARIATES)})


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_columns_in_another_order_are_taken_by_name(fit, frame):
    new = frame({n: X[:20, NAMES.index(n)] for n in ("c", "a", "b")})
    # The fit's normals have unit variances: the density of a row by hand.
    log_joint = np.log(fit.params["weights"]) - 0.5 * (
        (X[:20, None] - np.asarray(fit.params["loc"])) ** 2
    ).sum(-1)
    log_joint -= 1.5 * np.log(2 * np.pi)
    by_hand = np.log(np.exp(log_joint).sum(1))
    np.testing.assert_allclose(fit.log_prob(new), by_hand, rtol=1e-4)
    np.testing.assert_array_equal(fit.predict(new), log_joint.argmax(1))
    np.testing.assert_array_equal(fit.predict(x=X[:20]), log_joint.argmax(1))  # without names


def test_other_columns_are_refused(fit):
    with pytest.raises(ValueError, match=r"'x' lacks the columns 'b' and has the unknown .* 'd'"):
        fit.predict(pd.DataFrame(X, columns=["a", "d", "c"]))
    with pytest.raises(ValueError, match="'x' lacks the columns 'c'"):
        fit.responsibilities(x=pl.DataFrame(X[:, :2], schema=["a", "b"]))
    with pytest.raises(ValueError, match="unknown columns 'd'"):
        fit.sample(KEY, pd.DataFrame(np.c_[X, X[:, 0]], columns=[*NAMES, "d"]))


def test_columns_within_other_arguments(line_fit):
    turned = pd.DataFrame(COVARIATES)[[1, 0]]
    np.testing.assert_allclose(
        line_fit.log_prob(Y[:50], {"x": turned[:50]}), line_fit.log_prob()[:50], rtol=1e-5
    )
    with pytest.raises(ValueError, match=re.escape("argument \"design['x']\" lacks the columns 1")):
        line_fit.log_prob(Y, {"x": turned.rename(columns={1: 2})})


def test_rows_of_frames_in_other_orders_are_refused():
    frame = pd.DataFrame(COVARIATES, index=np.arange(60) + 100)
    fitter = em.EM(lines)
    with pytest.raises(ValueError, match="same rows in different orders"):
        fitter.run(KEY, pd.Series(Y, frame.index), {"x": frame[::-1]})


def test_columns_are_kept_in_files(fit, tmp_path):
    fit.save(tmp_path / "fit.npz")
    again = em.load(tmp_path / "fit.npz", normals)
    new = pd.DataFrame(X[:20, ::-1], columns=NAMES[::-1])
    np.testing.assert_array_equal(again.log_prob(new), fit.log_prob(new))


@pytest.mark.parametrize("method", ["responsibilities", "predict", "log_prob"])
@pytest.mark.parametrize("shape", [(60, 2), (60, 4), (7, 1), (60,), (1, 60, 3)])
def test_wrong_shapes_are_named(fit, method, shape):
    message = re.escape(f"argument 'x' has the shape {shape}, (60, 3) when fitted")
    with pytest.raises(ValueError, match=message):
        getattr(fit, method)(jnp.zeros(shape))


def test_one_covariate_for_two_is_not_broadcast(line_fit):
    message = re.escape("argument \"design['x']\" has the shape (60, 1), (60, 2) when fitted")
    with pytest.raises(ValueError, match=message):
        line_fit.predict(Y, {"x": COVARIATES[:, :1]})
    assert line_fit.predict(Y[:1], {"x": COVARIATES[:1]}).shape == (1,)


def test_missing_covariates_are_named_in_a_fit_and_in_new_data(line_fit):
    gone = COVARIATES.copy()
    gone[4, 1] = np.nan
    message = r"NaN at row 4.*argument \"design\['x'\]\" at row 4, column 1"
    with pytest.raises(ValueError, match=message):
        em.EM(lines).run(KEY, Y, {"x": gone})
    with pytest.raises(ValueError, match=message):
        line_fit.predict(Y, {"x": gone})


def test_missing_covariates_of_the_classes_are_named():
    def experts(y, x):
        weights = numpyro.sample("logits", dist.Normal(0, 1).expand([2]).to_event(1))
        loc = numpyro.sample("loc", dist.Normal(0, 1).expand([2]).to_event(1))
        with numpyro.plate("rows", len(y)):
            z = numpyro.sample("z", dist.Bernoulli(logits=weights[0] + weights[1] * x))
            numpyro.sample("y", dist.Normal(loc[z], 1), obs=y)

    gone = COVARIATES[:, 0].copy()
    gone[8] = np.nan
    with pytest.raises(ValueError, match=r"'z' is NaN at row 8, .*argument 'x' at row 8\)"):
        em.EM(experts).run(KEY, Y, gone)
