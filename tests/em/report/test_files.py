"""A fit is written to a file and comes back."""

import json

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em

from ..two_normals import normals

pytestmark = pytest.mark.usefixtures("x64")


@pytest.fixture
def saved(fit, tmp_path):
    path = tmp_path / "fit.npz"
    fit.save(path)
    return path


def test_a_fit_comes_back_from_its_file(fit, saved):
    back = em.load(saved, normals)
    assert list(back.params) == list(fit.params)
    for name, value in fit.params.items():
        np.testing.assert_array_equal(back.params[name], value)
        assert back.params[name].dtype == value.dtype
    np.testing.assert_array_equal(back.trace, fit.trace)
    np.testing.assert_array_equal(back.counts, fit.counts)
    assert back.restarts.equals(fit.restarts)
    assert back.spec == fit.spec
    assert (back.status, back.message) == (fit.status, fit.message)
    for name in ("log_likelihood", "objective", "num_steps", "aic", "bic", "icl"):
        assert getattr(back, name) == getattr(fit, name)
    np.testing.assert_array_equal(back.predict(), fit.predict())
    new = np.array([0.1, 2.2, 1.7])
    np.testing.assert_array_equal(back.log_prob(new), fit.log_prob(new))
    errors, expected = back.standard_errors(), fit.standard_errors()
    for name in expected:
        np.testing.assert_allclose(errors[name], expected[name], rtol=1e-9)


def test_the_file_needs_no_pickle_and_no_mixpyro(fit, saved):
    with np.load(saved, allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    np.testing.assert_array_equal(stored["params/loc"], fit.params["loc"])
    np.testing.assert_array_equal(stored["trace"], fit.trace)
    meta = json.loads(str(stored["meta"]))
    assert meta["status"] == "CONVERGED"
    assert meta["log_likelihood"] == fit.log_likelihood


def test_a_wrong_model_is_refused(saved):
    def other(x, num_components, *, weights=None):
        mean = numpyro.sample("mean", dist.Normal(0, 5).expand([num_components]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(num_components) / 2))
            numpyro.sample("x", dist.Normal(mean[z], 1.0), obs=x)

    with pytest.raises(ValueError, match="weights, loc, scale"):
        em.load(saved, other)


def test_a_model_whose_sites_have_other_shapes_is_refused(saved):
    def tied(x, num_components, *, weights=None):
        shares = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([num_components]))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(shares))
            numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)

    with pytest.raises(ValueError, match="scale"):
        em.load(saved, tied)


def test_a_file_that_holds_no_fit_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(ValueError, match="no mixpyro fit"):
        em.load(tmp_path / "other.npz", normals)
