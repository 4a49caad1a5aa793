"""What users of other libraries write first: taken where it is clear, answered where it is not."""

import dataclasses

import jax
import numpy as np
import pytest

from mixpyro import em, models
from mixpyro.em.plan.spec import BlockSpec, LatentSpec, Spec

from ..two_normals import KEY, N, X, normals

NAMES = [f"coefficient_of_covariate_{i}" for i in range(9)]
SPEC = Spec((LatentSpec("z", "Categorical", "not observed", 2, N),), 2, N, (), (), ())


@pytest.mark.parametrize("seed", [0, np.int64(0)])
def test_a_whole_number_is_the_seed_of_a_key(seed):
    fits = [em.EM(normals, num_restarts=2).run(k, X) for k in (seed, jax.random.key(0))]
    np.testing.assert_array_equal(fits[0].trace, fits[1].trace)
    drawn = [fits[0].sample(k)["x"] for k in (seed, jax.random.key(0))]
    np.testing.assert_array_equal(*drawn)


def test_fit_is_called_run():
    with pytest.raises(AttributeError, match=r"em\.EM\(model\)\.run\(rng_key"):
        em.EM(normals).fit(X)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        em.EM(normals).nothing  # noqa: B018


@pytest.mark.parametrize("name", ["n_components", "num_states", "n_clusters"])
def test_n_components_is_called_num_components(name):
    with pytest.raises(ValueError, match=f"'{name}': it is called num_components"):
        em.EM(normals).run(KEY, X, **{name: 2})


def test_what_the_model_takes_is_no_option():
    with pytest.raises(TypeError, match=r"no option 'n_clusters'.*run\(0, x, num_components=2\)"):
        em.EM(normals, n_clusters=2)
    with pytest.raises(TypeError, match=r"no option 'covariance'.*run\(0, x, covariance='diag'\)"):
        em.EM(normals, covariance="diag")
    with pytest.raises(TypeError, match=r"no option 'n_restarts'.*did you mean 'num_restarts'\?"):
        em.EM(normals, n_restarts=2)


def test_diag_is_diagonal():
    x = X.reshape(-1, 2)
    fits = [
        em.EM(models.gaussian_mixture, num_restarts=2).run(KEY, x, num_components=1, covariance=c)
        for c in ("diag", "diagonal")
    ]
    assert fits[0].params["scale"].shape == (1, 2)
    np.testing.assert_array_equal(fits[0].params["scale"], fits[1].params["scale"])


def test_results_are_tables_in_notebooks():
    def escaped(x, num_components=1):
        return normals(x, num_components)

    fit = em.EM(escaped, num_restarts=2).run(KEY, X)
    page = fit._repr_html_()
    assert "CONVERGED" in page
    assert f"{X.mean():.5g}" in page
    assert f"over {N} rows" in fit.spec._repr_html_()
    assert fit.spec._repr_html_().startswith("<pre>")


def test_a_spec_of_many_parameters_fits_a_terminal():
    """Each argument of the only block, and a long name, on lines of 100 columns at most."""
    text = str(dataclasses.replace(SPEC, blocks=(BlockSpec(tuple(NAMES), "closed form", True),)))
    assert max(map(len, text.splitlines())) <= 100
    assert all(name in text for name in NAMES)
