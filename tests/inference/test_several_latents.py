"""Posteriors of models with classes of rows within classes of groups: each latent by its name."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats

from mixpyro import em, inference

pytestmark = pytest.mark.usefixtures("x64")
KEY = jax.random.key(0)
G, SIZE, S = 12, 5, 400
SITES = ("groups", "rows", "base", "gap")


def nested(x, y, shape):
    """Classes g of groups have the mean ``base`` of x, classes r of their rows that of y."""
    groups = numpyro.sample("groups", dist.Dirichlet(jnp.full(2, 5.0)))
    rows = numpyro.sample("rows", dist.Dirichlet(jnp.full(2, 5.0)))
    with numpyro.plate("components", 2):
        base = numpyro.sample("base", dist.Normal(0, 10))
        gap = numpyro.sample("gap", dist.Normal(0, 10))
    with numpyro.plate("units", shape[0], dim=-2):
        g = numpyro.sample("g", dist.Categorical(groups))
        with numpyro.plate("within", shape[1], dim=-1):
            r = numpyro.sample("r", dist.Categorical(rows))
            numpyro.sample("x", dist.Normal(base[g], 1.0), obs=x)
            numpyro.sample("y", dist.Normal(gap[r], 1.0), obs=y)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    g, r = rng.random((G, 1)) < 0.5, rng.random((G, SIZE)) < 0.4
    x = np.where(g, 0.6, -0.6) + rng.normal(size=(G, SIZE))
    return x, np.where(r, 1.0, -1.0) + rng.normal(size=(G, SIZE))


@pytest.fixture(scope="module")
def fit(data):
    with jax.enable_x64(True):
        return em.EM(nested, num_restarts=4).run(KEY, *data, (G, SIZE))


@pytest.fixture(scope="module")
def draws(fit):
    """Around the estimate, one chain."""
    rng = np.random.default_rng(0)
    noise = {n: 0.05 * rng.normal(size=(1, S, 2)) for n in SITES}
    noise |= {n: noise[n] - noise[n].mean(-1, keepdims=True) for n in ("groups", "rows")}
    return {n: np.asarray(fit.params[n]) + noise[n] for n in SITES}


@pytest.mark.parametrize("by", ["responsibilities", "parameters"])
def test_each_latent_is_matched_by_itself(fit, draws, by):
    rng = np.random.default_rng(1)
    owned = {"g": ("groups", "base"), "r": ("rows", "gap")}
    switched = {n: rng.random((1, S)) < 0.5 for n in owned}
    mixed = dict(draws)
    for latent, names in owned.items():
        for n in names:
            mixed[n] = np.where(switched[latent][..., None], draws[n][..., ::-1], draws[n])
    found = inference.relabel(mixed, fit, by=by)
    for name in SITES:
        np.testing.assert_array_equal(found.draws[name], draws[name], err_msg=name)
    for latent in owned:
        assert found.symmetries[latent].classes == ((0, 1),)
        np.testing.assert_array_equal(found.permutations[latent][..., 0] == 1, switched[latent])
    assert found.moved == (switched["g"] | switched["r"]).mean()


def test_classes_are_drawn_from_their_joint_posterior(fit, data):
    """Against all 2^6 configurations of a group and its rows, scored by scipy."""
    params = {n: np.asarray(fit.params[n]) for n in SITES}
    same = {n: np.broadcast_to(v, (1, S, 2)) for n, v in params.items()}
    found = inference.draw_latent(same, fit, KEY, each=True)
    assert found.z["g"].shape == (1, S, G)
    assert found.z["r"].shape == found.each["r"].shape[:-1] == (1, S, G * SIZE)
    for name, resp in fit.responsibilities().items():
        np.testing.assert_allclose(found.responsibilities[name], resp, atol=1e-9)
        np.testing.assert_allclose(found.spread[name], 0, atol=1e-6)
    log_p = {}
    for g, *r in itertools.product((0, 1), repeat=1 + SIZE):
        log_p[g, *r] = (
            np.log(params["groups"][g])
            + np.log(params["rows"][r]).sum()
            + stats.norm.logpdf(data[0][3], params["base"][g]).sum()
            + stats.norm.logpdf(data[1][3], params["gap"][r]).sum()
        )
    p = np.exp(np.array(list(log_p.values())))
    p /= p.sum()
    rows = found.z["r"].reshape(S, G, SIZE)[:, 3]
    drawn = [tuple(row) for row in np.column_stack([found.z["g"][0, :, 3], rows]).tolist()]
    share = np.array([drawn.count(key) for key in log_p]) / S
    assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / S) + 1e-3).all()


def test_the_tree_and_the_report_name_each_latent(fit, draws):
    tree = inference.to_arviz(draws, fit, posterior_predictive=KEY)
    resp = tree["responsibilities"]
    assert resp["responsibilities_g"].dims == ("row", "component_g")
    assert resp["responsibilities_sd_r"].dims == ("row_r", "component_r")
    assert resp["responsibilities_r"].shape == (G * SIZE, 2)
    assert tree["posterior"]["base"].dims[2:] == ("component_g",)
    assert tree["posterior"]["gap"].dims[2:] == ("component_r",)
    assert tree["log_likelihood"]["rows"].dims == ("chain", "draw", "row")
    assert {"g", "r", "x", "y"} <= set(tree["posterior_predictive"].data_vars)
    table = inference.cross_check(fit, nuts=tree).table
    for latent in ("g", "r"):
        assert table.loc[f"responsibilities of {latent} (largest TV)", "verdict"] == "agrees"
