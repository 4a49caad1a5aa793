"""What a fit of batches tells of itself and of rows that are read in batches."""

import os

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from mixpyro import em

RNG = np.random.default_rng(8)
N, SIZE = 611, 100
X = np.concatenate([RNG.normal(-2, 1, 250), RNG.normal(2, 0.7, N - 250)])
RNG.shuffle(X)
START = {"probs": np.array([0.5, 0.5]), "loc": np.array([-1.0, 1.0]), "scale": np.array([1.0, 1.0])}


def normals(x, num_components):
    probs = numpyro.sample("probs", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(5))
    numpyro.deterministic("gap", loc[1] - loc[0])
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(probs))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def fitted(data):
    return em.EM(normals).run(0, data, num_components=2, init_params=START)


@pytest.fixture(scope="module")
def fits():
    """A fit of batches, and one of the same rows in memory."""
    import jax

    with jax.enable_x64(True):
        yield fitted(em.Batches(X, batch_size=SIZE)), fitted(X)


def log_joint(fit, x):
    p = {n: np.asarray(v) for n, v in fit.params.items()}
    return np.log(p["probs"]) + norm.logpdf(x[:, None], p["loc"], p["scale"])


def test_rows_are_scored_in_batches(x64, fits):
    for fit in fits:
        new = X[:250] + 0.1
        batches = em.Batches(new, batch_size=SIZE)
        expected = log_joint(fit, new)
        total = logsumexp(expected, axis=1)
        found = list(fit.responsibilities(batches))
        assert [len(f) for f in found] == [100, 100, 50]
        np.testing.assert_allclose(np.concatenate(found), np.exp(expected - total[:, None]))
        np.testing.assert_allclose(np.concatenate(list(fit.log_prob(batches))), total)
        labels = np.concatenate(list(fit.predict(batches)))
        np.testing.assert_array_equal(labels, expected.argmax(1))


def test_without_data_a_fit_of_batches_scores_its_own(x64, fits):
    fit, _ = fits
    total = logsumexp(log_joint(fit, X), axis=1)
    np.testing.assert_allclose(np.concatenate(list(fit.log_prob())), total)
    np.testing.assert_allclose(fit.log_likelihood, total.sum())
    np.testing.assert_allclose(fit.log_prob(X[:7]), total[:7])  # rows in memory come as an array
    with pytest.raises(ValueError, match="needs all rows in memory at once"):
        np.asarray(fit.log_prob())


def test_rows_go_to_parquet(x64, fits, tmp_path):
    fit, _ = fits
    fit.responsibilities().to_parquet(tmp_path / "r.parquet")
    fit.predict().to_parquet(tmp_path / "z.parquet")
    resp = pd.read_parquet(tmp_path / "r.parquet")
    assert list(resp.columns) == ["z[0]", "z[1]"]
    expected = log_joint(fit, X)
    np.testing.assert_allclose(resp.to_numpy().argmax(1), expected.argmax(1))
    assert pd.read_parquet(tmp_path / "z.parquet")["z"].tolist() == expected.argmax(1).tolist()


def test_errors_and_criteria_are_those_of_all_rows(x64, fits):
    own, whole = fits
    pd.testing.assert_frame_equal(own.summary(), whole.summary(), rtol=1e-4)
    assert "gap" in own.summary().index
    for kind in ("observed", "sandwich"):
        for name, error in whole.standard_errors(kind).items():
            np.testing.assert_allclose(own.standard_errors(kind)[name], error, rtol=1e-4)
    pd.testing.assert_series_equal(own.indices(), whole.indices(), rtol=1e-5)
    assert own.status == em.Status.CONVERGED
    assert own.spec == whole.spec
    assert f"{N} rows" in repr(own)
    r = np.exp(log_joint(own, X) - logsumexp(log_joint(own, X), axis=1, keepdims=True))
    np.testing.assert_allclose(own.entropy, -(r * np.log(r)).sum())


def test_a_file_keeps_where_the_rows_are(x64, fits, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    monkeypatch.chdir(tmp_path)
    fit = fitted(em.Batches("x.npy", batch_size=SIZE))
    fit.save("fit.npz")
    monkeypatch.chdir("/")
    back = em.load(tmp_path / "fit.npz", normals)
    assert back.log_likelihood == fit.log_likelihood
    np.testing.assert_allclose(list(back.log_prob())[2], list(fits[0].log_prob())[2])
    for name, error in fits[0].standard_errors().items():
        np.testing.assert_allclose(back.standard_errors()[name], error, rtol=1e-6)
    assert back.status == em.Status.CONVERGED
    np.save(tmp_path / "x.npy", X[:-1])
    with pytest.raises(ValueError, match=r"the fit is of 611 rows, and Batches.* now has 610"):
        em.load(tmp_path / "fit.npz", normals)
    with pytest.raises(ValueError, match="Batches of a ndarray cannot be written down"):
        fits[0].save(tmp_path / "other.npz")


def test_a_file_whose_rows_were_written_anew_is_told(x64, tmp_path):
    path, file = tmp_path / "x.npy", tmp_path / "fit.npz"
    np.save(path, X)
    made = path.stat().st_mtime_ns
    fitted(em.Batches(path, batch_size=SIZE)).save(file)
    later = X.copy()
    later[-1] += 1
    np.save(path, later)
    os.utime(path, ns=(made + 10**9, made + 10**9))
    with pytest.warns(UserWarning, match=r"x\.npy.* was written after the fit was made") as found:
        em.load(file, normals)
    assert found[0].filename == __file__
    later[0] += 1
    np.save(path, later)
    os.utime(path, ns=(made, made))
    with pytest.raises(ValueError, match=r"the first rows of Batches.*x\.npy.* are not those"):
        em.load(file, normals)
    np.save(path, X)
    os.utime(path, ns=(made, made))
    assert em.load(file, normals).status.ok


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.profile_interval("loc", (0,)),
        lambda fit: fit.sample(0),
        lambda fit: fit.classification_table(),
        lambda fit: fit.plot.density(),
        lambda fit: em.bootstrap(fit, 0),
        lambda fit: em.kmeans(em.Batches(X), 2, 0),
    ],
)
def test_what_needs_all_rows_says_so(x64, fits, ask):
    with pytest.raises(ValueError, match="needs all rows in memory at once"):
        ask(fits[0])
