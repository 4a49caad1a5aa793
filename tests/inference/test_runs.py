"""One fit, its NUTS and Laplace runs, and what is made of them: trees and labels."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer import log_likelihood
from numpyro.infer.util import potential_energy, unconstrain_fn
from scipy import special, stats

from mixpyro import em, inference, models

from .two_normals import KEY, N, X, joint, normals

pytestmark = pytest.mark.usefixtures("x64")


def params_of(tree, chain=0, draw=0):
    return {n: tree["posterior"][n].values[chain, draw] for n in ("weights", "loc", "scale")}


@pytest.mark.slow
def test_scalar_parameters_have_numpyros_density():
    x = np.concatenate([stats.binom.rvs(10, p, size=30, random_state=1) for p in (0.2, 0.7)])
    fit = em.EM(models.two_coins).run(KEY, x, num_tosses=10)
    tree = inference.run_laplace(fit, KEY, num_samples=20)
    model = inference.marginalize(models.two_coins)
    for s in range(3):
        draw = {n: tree["posterior"][n].values[0, s] for n in fit.params}
        assert all(np.shape(v) == np.shape(fit.params[n]) for n, v in draw.items())
        u = unconstrain_fn(model, (x,), {"num_tosses": 10}, draw)
        energy = potential_energy(model, (x,), {"num_tosses": 10}, u)
        assert tree["sample_stats"]["lp"].values[0, s] == pytest.approx(-float(energy), rel=1e-9)


# ---- what a run holds ---------------------------------------------------------------------------


def test_the_tree_has_named_groups_and_dimensions(nuts):
    groups = {"posterior", "sample_stats", "log_likelihood", "observed_data", "responsibilities"}
    assert groups | {"posterior_predictive", "relabelling", "em"} == set(nuts.children)
    posterior = nuts["posterior"]
    assert dict(posterior.sizes) == {"chain": 4, "draw": 250, "component": 2}
    assert posterior["loc"].dims == ("chain", "draw", "component")
    assert posterior["mean"].dims == ("chain", "draw")
    assert nuts["log_likelihood"]["x"].dims == ("chain", "draw", "row")
    assert nuts["observed_data"]["x"].dims == ("row",)
    assert nuts["posterior_predictive"]["x"].shape == (4, 250, N)
    assert nuts.attrs["method"] == "NUTS"
    assert nuts["em"].attrs["status"] == "CONVERGED"


def test_a_draw_has_the_densities_that_the_formula_gives(nuts):
    params = params_of(nuts, 2, 17)
    by_row = special.logsumexp(joint(params), axis=1)
    found = nuts["log_likelihood"]["x"].values[2, 17]
    np.testing.assert_allclose(found, by_row, rtol=1e-9)
    mean = (params["weights"] * params["loc"]).sum()
    assert nuts["posterior"]["mean"].values[2, 17] == pytest.approx(mean)
    # lp is the density of u: likelihood, prior, and the Jacobian of NumPyro's bijections.
    prior = stats.norm.logpdf(params["loc"], 0, 5).sum()
    prior += stats.halfnorm.logpdf(params["scale"], scale=3).sum()
    jacobian = np.log(params["scale"]).sum() + np.log(params["weights"]).sum()
    lp = nuts["sample_stats"]["lp"].values[2, 17]
    assert lp == pytest.approx(by_row.sum() + prior + jacobian, rel=1e-9)


def test_the_same_rows_by_numpyro(nuts):
    draws = {n: jnp.asarray(v) for n, v in params_of(nuts, 0, slice(3)).items()}
    found = log_likelihood(inference.marginalize(normals), draws, X)["x"]
    np.testing.assert_allclose(found, nuts["log_likelihood"]["x"].values[0, :3], rtol=1e-9)


def test_chains_agree_and_arviz_takes_them(nuts):
    import arviz as az

    summary = az.summary(nuts, round_to="none")
    assert summary["r_hat"].max() < 1.03
    assert summary["ess_bulk"].min() > 300
    assert nuts["sample_stats"]["diverging"].sum() == 0
    loo = az.loo(nuts)
    # An independent approximation of the same number: the log-likelihood less the penalty.
    assert loo.elpd == pytest.approx(float(nuts["em"].attrs["log_likelihood"]) - 5, abs=2)
    az.plot_trace(nuts, var_names=["weights"])


def test_posterior_predictive_has_the_mixture_s_moments(nuts):
    predicted = nuts["posterior_predictive"]
    assert predicted["z"].dims == predicted["x"].dims[:3] == ("chain", "draw", "row")
    drawn = predicted["x"].values.ravel()
    assert drawn.mean() == pytest.approx(X.mean(), abs=0.15)
    assert drawn.std() == pytest.approx(X.std(), abs=0.15)


def test_the_whole_tree_survives_a_netcdf_file(nuts, tmp_path):
    import xarray

    nuts.to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
    back = xarray.open_datatree(tmp_path / "run.nc", engine="h5netcdf").load()
    xarray.testing.assert_allclose(back, nuts)


def test_own_names_for_axes(fit, laplace):
    draws = {n: laplace["posterior"][n].values[:, :20] for n in ("weights", "loc", "scale")}
    tree = inference.to_arviz(
        draws, fit, coords={"component": ["low", "high"]}, log_likelihood=False
    )
    assert list(tree["posterior"]["component"].values) == ["low", "high"]
    assert "log_likelihood" not in tree.children
    with pytest.raises(ValueError, match="dims\\['loc'\\] names 2 axes"):
        inference.to_arviz(draws, fit, dims={"loc": ["a", "b"]})


@pytest.mark.parametrize("run", [inference.run_nuts, inference.run_svi, inference.run_laplace])
@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"num_sample": 3}, "no argument 'num_sample'"),
        ({"posterior_predictive": True}, "takes a JAX key"),
        ({"dims": "feature"}, "dims takes a dictionary"),
    ],
)
def test_what_a_tree_cannot_hold_is_refused_before_the_run(fit, run, output, words):
    with pytest.raises(ValueError, match=words):
        run(fit, None, **output)  # without a key nothing could run


# ---- labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["responsibilities", "parameters"])
def test_switched_draws_are_switched_back(fit, nuts, by):
    original = {n: nuts["posterior"][n].values for n in ("weights", "loc", "scale")}
    switched = np.random.default_rng(0).random((4, 250)) < 0.5
    mixed = {n: np.where(switched[..., None], v[..., ::-1], v) for n, v in original.items()}
    found = inference.relabel(mixed, fit, by=by)
    for name, values in original.items():
        np.testing.assert_array_equal(found.draws[name], values)
    assert found.moved == switched.mean()
    assert found.symmetries["z"].classes == ((0, 1),)
    assert found.before["loc"][1].max() < 20 + found.after["loc"][1].min()
    whole = {n: np.concatenate([v[:2], v[2:, :, ::-1]]) for n, v in original.items()}
    found = inference.relabel(whole, fit)
    assert found.before["loc"][0].min() > 1.5
    assert found.after["loc"][0].max() < 1.03
    assert "50.0% of the draws were relabelled" in found.message


def test_z_and_responsibilities_given_draws(fit, nuts):
    draws = {n: nuts["posterior"][n].values[:, :50] for n in ("weights", "loc", "scale")}
    found = inference.draw_latent(draws, fit, KEY, each=True)
    assert found.z.shape == (4, 50, N)
    table = joint({n: v[1, 7] for n, v in draws.items()})
    each = np.exp(table - special.logsumexp(table, axis=1)[:, None])
    np.testing.assert_allclose(found.each[1, 7], each, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.responsibilities, found.each.mean((0, 1)), rtol=1e-9)
    # The share of draws with z = 1 estimates the same, with binomial error.
    error = np.sqrt(0.25 / 200)
    np.testing.assert_allclose(found.z.mean((0, 1)), found.responsibilities[:, 1], atol=5 * error)


def test_draws_of_another_shape_are_refused(fit):
    with pytest.raises(ValueError, match="no site 'weights'"):
        inference.relabel({"loc": np.zeros((1, 2, 2))}, fit)
    with pytest.raises(ValueError, match="'weights' have shape"):
        inference.relabel({"weights": np.zeros((2, 2))}, fit)
    with pytest.raises(ValueError, match="by must be"):
        inference.relabel({}, fit, by="name")
