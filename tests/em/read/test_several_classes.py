"""Several classes in a model, classes of rows within classes of groups."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import special, stats

from mixpyro import em

KEY = jax.random.key(0)
G, N = 30, 150


# ---- several classes of the same rows -----------------------------------------------------------


def crossed(x, y):
    a = numpyro.sample("a", dist.Dirichlet(jnp.ones(2)))
    b = numpyro.sample("b", dist.Dirichlet(jnp.ones(2)).expand([2]))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        rate = numpyro.sample("rate", dist.HalfNormal(5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(a))
        s = numpyro.sample("s", dist.Categorical(b[z]))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        numpyro.sample("y", dist.Poisson(rate[s]), obs=y)


def test_two_classes_of_a_row_one_depending_on_the_other(x64):
    rng = np.random.default_rng(5)
    z = rng.integers(2, size=N)
    s = (rng.random(N) < np.array([0.2, 0.7])[z]).astype(int)
    x, y = rng.normal(np.array([-1.5, 1.5])[z]), rng.poisson(np.array([2.0, 9.0])[s])
    fit = em.EM(crossed, num_restarts=3).run(KEY, x, y)
    assert fit.spec.closed_form
    assert fit.num_free_params == 1 + 2 + 2 + 2
    p = {n: np.asarray(v) for n, v in fit.params.items()}
    joint = (
        np.log(p["a"])[:, None]
        + np.log(p["b"])
        + stats.norm.logpdf(x[:, None], p["loc"])[:, :, None]
        + stats.poisson.logpmf(y[:, None], p["rate"])[:, None, :]
    )
    total = special.logsumexp(joint, (1, 2))
    np.testing.assert_allclose(fit.log_prob(), total, atol=1e-10)
    assert fit.log_likelihood == pytest.approx(total.sum(), rel=1e-12)
    resp = np.exp(joint - total[:, None, None])
    found = fit.responsibilities()
    np.testing.assert_allclose(found["z"], resp.sum(2), atol=1e-9)
    np.testing.assert_allclose(found["s"], resp.sum(1), atol=1e-9)
    # A fixed point of the textbook formulas.
    np.testing.assert_allclose(p["a"], resp.sum((0, 2)) / N, atol=1e-4)
    np.testing.assert_allclose(p["b"], resp.sum(0) / resp.sum((0, 2))[:, None], atol=1e-4)
    np.testing.assert_allclose(p["loc"], resp.sum(2).T @ x / resp.sum((0, 2)), atol=1e-4)
    np.testing.assert_allclose(p["rate"], resp.sum(1).T @ y / resp.sum((0, 1)), rtol=1e-4)
    assert np.all(np.diff(fit.trace) >= -1e-10)
    assert set(fit.predict()) == {"z", "s"}


# ---- classes of rows within classes of groups ---------------------------------------------------

ITEMS = 5


def nested(y, group, num_groups=G):
    w = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    within = numpyro.sample("within", dist.Dirichlet(jnp.ones(2)).expand([2]))
    probs = numpyro.sample("probs", dist.Beta(1, 1).expand([2, ITEMS]).to_event(2))
    with numpyro.plate("groups", num_groups):
        z = numpyro.sample("z", dist.Categorical(w))
    with numpyro.plate("rows", y.shape[0]):
        c = numpyro.sample("c", dist.Categorical(within[z[group]]))
        numpyro.sample("y", dist.Bernoulli(probs[c]).to_event(1), obs=y)


def nested_by_plates(y):
    w = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    within = numpyro.sample("within", dist.Dirichlet(jnp.ones(2)).expand([2]))
    probs = numpyro.sample("probs", dist.Beta(1, 1).expand([2, ITEMS]).to_event(2))
    with numpyro.plate("groups", y.shape[0], dim=-2):
        z = numpyro.sample("z", dist.Categorical(w))
        with numpyro.plate("rows", y.shape[1], dim=-1):
            c = numpyro.sample("c", dist.Categorical(within[z]))
            numpyro.sample("y", dist.Bernoulli(probs[c]).to_event(1), obs=y)


@functools.cache
def nested_data():
    rng = np.random.default_rng(9)
    size = 8
    z = rng.integers(2, size=G)
    c = (rng.random((G, size)) < np.array([0.2, 0.85])[z][:, None]).astype(int)
    y = rng.random((G, size, ITEMS)) < np.array([[0.2] * ITEMS, [0.8] * ITEMS])[c]
    return y.astype(int), np.repeat(np.arange(G), size)


def brute_force(params, y):
    """(groups,) log p of a group, summing over the class of the group and of each row."""
    p = {n: np.asarray(v, float) for n, v in params.items()}
    rows = stats.bernoulli.logpmf(y[:, :, None, :], p["probs"]).sum(-1)  # (G, m, 2)
    inner = special.logsumexp(np.log(p["within"])[None, None] + rows[:, :, None, :], 3)
    return special.logsumexp(np.log(p["weights"]) + inner.sum(1), 1)


@functools.cache
def nested_fits():
    y, group = nested_data()
    fitter = em.EM(nested, num_restarts=3)
    by_index = fitter.run(KEY, y.reshape(-1, ITEMS), group)
    start = {n: np.asarray(v) for n, v in by_index.params.items()}
    return by_index, em.EM(nested_by_plates).run(KEY, y, init_params=start)


def test_classes_of_rows_within_classes_of_groups(x64):
    y, group = nested_data()
    fit, _ = nested_fits()
    assert fit.spec.closed_form
    assert fit.num_free_params == 1 + 2 + 2 * ITEMS
    assert fit.total_weight == len(group)
    total = brute_force(fit.params, y)
    np.testing.assert_allclose(fit.log_prob(), total, atol=1e-9)
    assert fit.log_likelihood == pytest.approx(total.sum(), rel=1e-11)
    assert np.all(np.diff(fit.trace) >= -1e-9)
    found = fit.responsibilities()
    assert {n: r.shape for n, r in found.items()} == {"z": (G, 2), "c": (len(group), 2)}
    # At a maximum: no small step raises the brute-force likelihood.
    rng = np.random.default_rng(0)
    for _ in range(20):
        near = {n: np.log(np.asarray(fit.params[n])) for n in ("weights", "within")}
        near = {
            n: special.softmax(v + 0.05 * rng.standard_normal(v.shape), -1) for n, v in near.items()
        }
        logit = special.logit(np.asarray(fit.params["probs"]))
        near["probs"] = special.expit(logit + 0.05 * rng.standard_normal(logit.shape))
        assert brute_force(near, y).sum() < fit.log_likelihood


def test_posterior_marginals_are_the_gradient_of_the_log_sum_exp(x64):
    """d log p / d log p(z = k) is the responsibility: for groups and for rows alike."""
    y, _ = nested_data()
    fit, _ = nested_fits()
    p = {n: jnp.asarray(v) for n, v in fit.params.items()}

    def log_likelihood(log_group, log_row):
        rows = dist.Bernoulli(p["probs"]).log_prob(y[:, :, None, :]).sum(-1)
        inner = jax.nn.logsumexp(log_row + rows[:, :, None, :], 3)
        return jax.nn.logsumexp(log_group + inner.sum(1), 1).sum()

    log_group = jnp.broadcast_to(jnp.log(p["weights"]), (G, 2))
    log_row = jnp.broadcast_to(jnp.log(p["within"]), (*y.shape[:2], 2, 2))
    groups, rows = jax.grad(log_likelihood, (0, 1))(log_group, log_row)
    found = fit.responsibilities()
    np.testing.assert_allclose(found["z"], groups, atol=1e-9)
    np.testing.assert_allclose(found["c"], rows.sum(2).reshape(-1, 2), atol=1e-9)


@pytest.mark.slow
def test_nested_plates_and_an_index_say_the_same(x64):
    by_index, by_plates = nested_fits()
    assert by_plates.spec.closed_form
    assert by_plates.log_likelihood == pytest.approx(by_index.log_likelihood, abs=1e-7)
    assert by_plates.bic == pytest.approx(by_index.bic, abs=1e-6)
    for name, value in by_index.params.items():
        np.testing.assert_allclose(by_plates.params[name], value, atol=1e-4)


def test_classes_of_different_rows_at_one_site_are_refused():
    def model(y):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("groups", 4, dim=-3):
            z = numpyro.sample("z", dist.Bernoulli(0.5))
            with numpyro.plate("days", 3, dim=-2):
                d = numpyro.sample("d", dist.Bernoulli(0.5))
                with numpyro.plate("rows", 2, dim=-1):
                    r = numpyro.sample("r", dist.Bernoulli(0.5))
                    numpyro.sample("y", dist.Normal(loc[z] + loc[d] + loc[r], 1.0), obs=y)

    with pytest.raises(ValueError, match=r"'y' depends on latent classes of different rows"):
        em.EM(model).run(KEY, np.zeros((4, 3, 2)))


@pytest.mark.slow
def test_rows_within_groups_may_be_normal(x64):
    """More components of rows than of groups, each with a scale that could collapse."""

    def model(y, group):
        w = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        within = numpyro.sample("within", dist.Dirichlet(jnp.ones(3)).expand([2]))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([3]))
        scale = numpyro.sample("scale", dist.HalfNormal(2).expand([3]))
        with numpyro.plate("groups", G):
            z = numpyro.sample("z", dist.Categorical(w))
        with numpyro.plate("rows", y.shape[0]):
            c = numpyro.sample("c", dist.Categorical(within[z[group]]))
            numpyro.sample("y", dist.Normal(loc[c], scale[c]), obs=y)

    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(G), 10)
    chance = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])[rng.integers(2, size=G)]
    c = (rng.random(len(group))[:, None] > np.cumsum(chance, 1)[group]).sum(1)
    y = rng.normal(np.array([-4.0, 0.0, 4.0])[c], 0.8)
    fit = em.EM(model, num_restarts=2).run(KEY, y, group)
    p = {n: np.asarray(v, float) for n, v in fit.params.items()}
    rows = stats.norm.logpdf(y[:, None], p["loc"], p["scale"])
    inner = special.logsumexp(np.log(p["within"]) + rows[:, None, :], 2)
    joint = np.tile(np.log(p["weights"]), (G, 1))
    np.add.at(joint, group, inner)
    assert fit.status.ok
    assert fit.log_likelihood == pytest.approx(special.logsumexp(joint, 1).sum(), rel=1e-11)
    np.testing.assert_allclose(np.sort(p["loc"]), [-4, 0, 4], atol=0.5)
