"""Likelihood ratios of models with other covariates; deterministic sites among the results."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import stats

from mixpyro import em

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
N = 80
_rng = np.random.default_rng(0)
X = _rng.normal(size=N)
Y = 1 + 0.3 * X + _rng.normal(size=N)


def line(y, x=None, w=1.0):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(1)))
    level = numpyro.sample("level", dist.Normal(0, 5))
    scale = numpyro.sample("scale", dist.HalfNormal(5))
    numpyro.deterministic("variance", scale**2)
    mean = level
    if x is not None:
        slope = numpyro.sample("slope", dist.Normal(0, 5))
        mean = numpyro.deterministic("mean", level + slope * x)
        numpyro.deterministic("ends", level + slope * jnp.array([-1.0, 1.0]))
    with numpyro.plate("rows", y.shape[0]), handlers.scale(scale=w):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.deterministic("half", z / 2)
        numpyro.sample("y", dist.Normal(mean + 0.0 * z, scale), obs=y)


@functools.cache
def sloped():
    return em.EM(line).run(KEY, jnp.asarray(Y), jnp.asarray(X))


@functools.cache
def level():
    return em.EM(line).run(KEY, jnp.asarray(Y))


def test_a_covariate_more_is_tested_by_the_ratio_of_the_residuals():
    test = em.likelihood_ratio_test(level(), sloped())
    around = np.polynomial.Polynomial.fit(X, Y, 1)(X)
    statistic = N * np.log(((Y - Y.mean()) ** 2).sum() / ((Y - around) ** 2).sum())
    assert test.statistic == pytest.approx(statistic, rel=1e-6)
    assert (test.df, test.pvalue) == (1, pytest.approx(stats.chi2.sf(statistic, 1), rel=1e-5))


def test_a_p_value_far_in_the_tail_is_not_0():
    far = em.EM(line).run(KEY, jnp.asarray(2 * X + _rng.normal(size=N)), jnp.asarray(X))
    test = em.wald_test(far, lambda p: p["slope"])
    assert 0 < test.pvalue < 1e-40
    assert test.pvalue == pytest.approx(stats.norm.sf(np.sqrt(test.statistic)) * 2, rel=1e-9)


@pytest.mark.parametrize(
    ("y", "w", "what"),
    [(Y + 1, 1.0, "'y'"), (Y, np.where(np.arange(N) < 5, 2.0, 1.0), "'row weights'")],
)
def test_other_data_or_weights_are_refused(y, w, what):
    small = em.EM(line).run(KEY, jnp.asarray(y), w=jnp.asarray(w * np.ones(N)))
    with pytest.raises(ValueError, match=f"different data: {what} differs"):
        em.likelihood_ratio_test(small, sloped())


def test_deterministic_sites_are_results():
    fit = sloped()
    found, params = fit.deterministics, fit.params
    assert set(found) == {"variance", "mean", "ends"}  # "half" depends on z
    assert "variance" not in params
    np.testing.assert_allclose(found["variance"], params["scale"] ** 2)
    np.testing.assert_allclose(found["mean"], params["level"] + params["slope"] * X)
    table = fit.summary()
    assert set(table.index) - {"weights[0]", "level", "scale", "slope"} == {
        "variance",
        "ends[0]",
        "ends[1]",
    }
    s2 = float(found["variance"])
    assert table.loc["variance", "standard_error"] == pytest.approx(s2 * np.sqrt(2 / N), rel=1e-6)
    design = np.stack([np.ones(N), X], 1)
    covariance = s2 * np.linalg.inv(design.T @ design)
    at = np.array([1.0, 1.0])
    assert table.loc["ends[1]", "estimate"] == pytest.approx(float(found["ends"][1]))
    assert table.loc["ends[1]", "standard_error"] == pytest.approx(
        np.sqrt(at @ covariance @ at), rel=1e-6
    )
