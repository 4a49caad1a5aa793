"""The runs of one fit are compared with it and with each other; SVI too."""

import functools

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer.autoguide import AutoNormal
from scipy import special

from mixpyro import em, inference, models

from .two_normals import KEY, N, X, joint

pytestmark = pytest.mark.usefixtures("x64")


# ---- the cross-check ----------------------------------------------------------------------------


def test_they_agree(fit, nuts, laplace):
    report = inference.cross_check(fit, nuts=nuts, laplace=laplace)
    assert report.agrees
    assert set(report.table["verdict"]) == {"agrees"}
    row = report.table.loc["loc[1]"]
    values = nuts["posterior"]["loc"].values[..., 1]
    assert row["em"] == pytest.approx(float(fit.params["loc"][1]))
    assert row["se"] == pytest.approx(float(fit.standard_errors()["loc"][1]))
    assert row["nuts_diff"] == pytest.approx((values.mean() - row["em"]) / values.std())
    mean = {n: nuts["posterior"][n].values.mean((0, 1)) for n in ("weights", "loc", "scale")}
    total = special.logsumexp(joint(mean), axis=1).sum()
    assert report.table.loc["log-likelihood at the mean", "nuts_mean"] == pytest.approx(total)
    average = nuts["responsibilities"]["responsibilities"].values
    distance = 0.5 * np.abs(average - np.asarray(fit.responsibilities())).sum(1).max()
    found = report.table.loc["responsibilities (largest TV)", "nuts_mean"]
    assert found == pytest.approx(distance)


def test_the_report_reads_and_draws(fit, nuts, laplace):
    report = inference.cross_check(fit, nuts=nuts, laplace=laplace)
    words = str(report)
    assert words.startswith("EM and the posterior agree. No draw needed another labelling.")
    assert "within 0.5 posterior standard deviations" in words
    assert "<table" in report._repr_html_()
    axes = report.plot()
    assert [t.get_text() for t in axes.get_yticklabels()] == list(report.table.index[:6])
    with pytest.raises(ValueError, match="at least one posterior"):
        inference.cross_check(fit)


def test_a_shifted_posterior_is_found_out(fit, laplace):
    draws = {n: laplace["posterior"][n].values.copy() for n in ("weights", "loc", "scale")}
    draws["loc"][..., 0] += 2 * draws["loc"][..., 0].std()
    report = inference.cross_check(fit, laplace=inference.to_arviz(draws, fit))
    assert not report.agrees
    assert report.table.loc["loc[0]", "verdict"] == "few data"
    assert report.table.loc["loc[1]", "verdict"] == "agrees"
    assert "do not agree on loc[0]" in report.message


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({}, "agrees"),
        ({"diff": 0.55}, "few data"),
        ({"diff": 0.55, "shift": 0.4}, "prior"),
        ({"diff": 0.55, "shift": -0.4}, "few data"),
        ({"ratio": 1.6}, "few data"),
        ({"ratio": 0.6, "shift": 0.7}, "prior"),
        ({"ratio": np.nan}, "agrees"),
        ({"rhat": 1.06}, "chains disagree"),
        ({"ess": 50.0}, "chains disagree"),
        ({"diff": 1.5, "edge": True, "ratio": np.nan}, "agrees (edge)"),
        ({"diff": 0.7, "pareto": 0.9}, "approximation"),
        ({"diff": np.inf}, "not finite"),
    ],
)
def test_the_rule(case, expected):
    from mixpyro.inference.rule import verdict

    usual = {"diff": 0.1, "ratio": 1.0, "rhat": 1.0, "ess": 1e6, "shift": 0.0, "edge": False}
    assert verdict(**{**usual, "pareto": 0.3, **case}) == expected


# ---- SVI ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_svi_settles_and_agrees(fit, nuts):
    svi = inference.run_svi(fit, KEY, num_steps=600)
    assert svi.attrs["settled"] == 1
    assert svi["optimisation"]["loss"].shape == (600,)
    assert svi.attrs["pareto_k"] < 1
    for name in ("weights", "loc", "scale"):
        ours, theirs = svi["posterior"][name].values[0], nuts["posterior"][name].values
        sd = theirs.std((0, 1))
        np.testing.assert_allclose(ours.mean(0), theirs.mean((0, 1)), atol=0.2 * sd.max())
        np.testing.assert_allclose(ours.std(0), sd, rtol=0.15)


# By independent columns, by events.
@pytest.mark.parametrize("covariance", ["diagonal", pytest.param("full", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_svi_by_another_guide_starts_at_the_fit(covariance):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 2)) + np.repeat([[0.0], [6.0]], 30, 0)
    fit = em.EM(models.gaussian_mixture).run(KEY, x, num_components=2, covariance=covariance)
    guide = functools.partial(AutoNormal, init_loc_fn=inference.init_to_fit(fit))
    svi = inference.run_svi(fit, KEY, num_steps=200, num_samples=200, guide=guide)
    assert svi.attrs["method"] == "SVI"
    assert svi.attrs["num_steps"] == 200
    assert svi["optimisation"]["loss"].shape == (200,)
    draws = svi["posterior"]["loc"]
    assert draws.shape == (1, 200, 2, 2)
    errors = fit.standard_errors()["loc"]
    assert np.all(np.abs(draws.values.mean((0, 1)) - fit.params["loc"]) < 2 * errors)


def test_what_has_no_posterior_is_refused():
    def bare(x):
        loc = numpyro.param("loc", jnp.array([-1.0, 1.0]))
        with numpyro.plate("rows", N):
            z = numpyro.sample("z", dist.Categorical(jnp.array([0.6, 0.4])))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)

    fit = em.EM(bare).run(KEY, X)
    with pytest.raises(ValueError, match=r"'loc': numpyro\.param declares no prior"):
        inference.run_laplace(fit, KEY)
