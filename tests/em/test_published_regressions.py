"""Mixtures of regressions that others have published, with their data, from default settings."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em, models

KEY = jax.random.key(0)


def table(text, shape, kind):
    """Numbers by columns."""
    return np.reshape(text.split(), shape).T.astype(kind)


pytestmark = pytest.mark.usefixtures("x64")


# ---- CO2 emissions: Benaglia, Chauveau, Hunter & Young (2009), J. of Statistical Software 32(6)
# GNP and estimated CO2 emission per capita of 28 countries in 1996, from Hurn, Justel & Robert
# (2003), Journal of Computational and Graphical Statistics 12:55. Estimates: summary(CO2reg) of
# section 5 of the mixtools vignette, which is that paper.

GNP, CO2 = table(
    """
    19.02 14.7   3.67  3.9  28.20 20.8  40.94  9.0  10.61  8.3  20.09 16.0  15.72  7.6
    28.11  7.4  26.44 10.2   4.74 10.8  32.10 10.5  23.24 10.0  26.27  5.8  28.87 10.2
    11.46  7.3   4.34  5.5  17.11  9.0  19.88  7.2  25.94  8.8  24.51 16.6   3.23  8.8
    10.16  5.2  14.35  5.9  25.71  5.0  44.35  5.5   2.83  2.7  19.60  9.3   2.41 12.3
    """,
    (28, 2),
    float,
)


def test_emissions_and_income_as_by_mixtools():
    design = np.column_stack([np.ones(28), GNP])
    fit = em.EM(models.linear_regression_mixture).run(KEY, CO2, covariates=design, num_components=2)
    assert fit.status is em.Status.CONVERGED, fit.message
    assert fit.log_likelihood == pytest.approx(-66.93977, abs=2e-5)
    order = np.argsort(-fit.params["weights"])
    found = {name: np.asarray(value)[order] for name, value in fit.params.items()}
    # mixtools stops at a change of 1e-8, ten steps from its start: five digits are settled.
    np.testing.assert_allclose(found["weights"], [0.754921, 0.245079], atol=2e-5)
    np.testing.assert_allclose(found["scale"], [2.049315, 0.809389], rtol=4e-4)
    published = [[8.678987, -0.023344], [1.415150, 0.676596]]
    np.testing.assert_allclose(found["coefficients"], published, atol=2e-4)


# ---- faults in rolls of fabric: Aitkin (1996), Statistics and Computing 6:251 --------------------
# Lengths (m) and numbers of faults of 32 rolls, from Bissell (1972), Biometrika 59:435. Estimates
# and standard errors: Gruen & Leisch, "Applications of finite mixtures of regression models",
# vignette of flexmix 2.3, summary(fabricMix) and summary(refit(fabricMix)).

LENGTH = table(
    "551 651 832 375 715 868 271 630 491 372 645 441 895 458 642 492 "
    "543 842 905 542 522 122 657 170 738 371 735 749 495 716 952 417",
    (32,),
    float,
)
FAULTS = table(
    "6 4 17 9 14 8 5 7 7 7 6 8 28 4 10 4 8 9 23 9 6 1 9 4 9 14 17 10 7 3 9 2", (32,), int
)


def rolls(faults, length):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    slope = numpyro.sample("slope", dist.Normal(0, 3))
    with numpyro.plate("components", 2):
        intercept = numpyro.sample("intercept", dist.Normal(0, 5))
    with numpyro.plate("rows", faults.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        rate = jnp.exp(intercept[z] + slope * jnp.log(length))
        numpyro.sample("faults", dist.Poisson(rate), obs=faults)


def test_faults_of_fabric_with_a_random_intercept_as_by_flexmix():
    fit = em.EM(rolls).run(KEY, FAULTS, LENGTH)
    assert fit.status is em.Status.CONVERGED, fit.message
    # flexmix stops at a relative change of 1e-6, just below the maximum.
    assert 0 <= fit.log_likelihood + 86.33119 < 2e-4
    assert fit.num_free_params == 4
    assert fit.aic == pytest.approx(180.6624, abs=4e-4)
    assert fit.bic == pytest.approx(186.5253, abs=4e-4)
    order = np.argsort(-fit.params["weights"])
    np.testing.assert_allclose(fit.params["weights"][order], [0.796, 0.204], atol=2e-3)
    np.testing.assert_allclose(fit.params["slope"], 0.79913, atol=2e-3)
    np.testing.assert_allclose(fit.params["intercept"][order], [-3.12797, -2.36202], atol=1e-2)
    errors = fit.standard_errors()
    np.testing.assert_allclose(errors["slope"], 0.23491, rtol=1e-2)
    np.testing.assert_allclose(errors["intercept"][order], [1.51934, 1.59146], rtol=1e-2)


# ---- beta-blockers in 22 centres: Aitkin (1999), Statistics in Medicine 18:2343 ------------------
# Deaths and patients, control and treated, from Yusuf et al. (1985), Progress in Cardiovascular
# Diseases 27:335. A class for each centre, random intercepts, a common effect of treatment;
# betaMixFix in the same vignette, and summary(refit(getModel(betaMixFix, "3"))).

DEATHS = table(
    """
    3 14 11 127 27 6 152 48 37 188 52 47 16 45 31 38 12 6 3 40 43 39
    3 7 5 102 28 4 98 60 25 138 64 45 9 57 25 33 28 8 6 32 27 22
    """,
    (2, 22),
    int,
)
PATIENTS = table(
    """
    39 116 93 1520 365 52 939 471 282 1921 583 266 293 883 147 213 122 154 134 218 364 674
    38 114 69 1533 355 59 945 632 278 1916 873 263 291 858 154 207 251 151 174 209 391 680
    """,
    (2, 22),
    int,
)


def centres(deaths, patients, num_components):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    effect = numpyro.sample("effect", dist.Normal(0, 1))
    with numpyro.plate("components", num_components):
        intercept = numpyro.sample("intercept", dist.Normal(-2, 1))
    with numpyro.plate("centres", deaths.shape[0], dim=-2):
        z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("arms", 2, dim=-1):
            logits = intercept[z] + effect * jnp.arange(2)
            numpyro.sample("deaths", dist.Binomial(patients, logits=logits), obs=deaths)


@functools.cache
def trial(num_components):
    return em.EM(centres).run(KEY, DEATHS, PATIENTS, num_components=num_components)


@pytest.mark.parametrize(
    ("k", "log_likelihood", "aic", "bic"),
    [
        pytest.param(2, -181.3308, 370.6617, 377.7984, marks=pytest.mark.slow),
        (3, -159.3605, 330.7210, 341.4262),
        pytest.param(4, -155.7540, 327.5080, 341.7815, marks=pytest.mark.slow),
    ],
)
def test_centres_of_a_trial_as_by_flexmix(k, log_likelihood, aic, bic):
    fit = trial(k)
    assert fit.status is em.Status.CONVERGED, fit.message
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-3)
    assert fit.aic == pytest.approx(aic, abs=2e-3)
    assert fit.bic == pytest.approx(bic, abs=2e-3)


def test_the_effect_of_treatment_and_its_error_as_by_flexmix():
    fit = trial(3)
    assert float(fit.params["effect"]) == pytest.approx(-0.258163, abs=1e-4)
    assert float(fit.standard_errors()["effect"]) == pytest.approx(0.049901, rel=2e-3)
    intercepts = np.sort(fit.params["intercept"])
    np.testing.assert_allclose(intercepts[:2], [-2.833679, -2.250160], atol=1e-3)
