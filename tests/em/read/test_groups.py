"""One class for a group of rows."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import optimize, special, stats

from mixpyro import em

KEY = jax.random.key(0)
G, N = 30, 150


@functools.cache
def data():
    """Ragged groups (one of them empty), their classes, and observations."""
    rng = np.random.default_rng(2)
    group = rng.integers(G - 1, size=N)
    z = rng.integers(2, size=G)
    y = rng.normal(np.array([0.0, 1.5])[z[group]], np.array([1.0, 0.7])[z[group]])
    return y, group, z


def grouped(y, group, num_groups=G, known=None, labels=None, weights=1.0):
    w = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(2))
    with numpyro.plate("groups", num_groups), handlers.scale(scale=weights):
        z = numpyro.sample("z", dist.Categorical(w), obs=labels, obs_mask=known)
    own = weights if isinstance(weights, float) else weights[group]
    with numpyro.plate("rows", y.shape[0]), handlers.scale(scale=own):
        numpyro.sample("y", dist.Normal(loc[z[group]], scale[z[group]]), obs=y)


def scipy_groups(params, y, group, num_groups=G):
    """(groups, 2) log p(y of a group, z = k)."""
    weights, loc, scale = (np.asarray(params[n], float) for n in ("weights", "loc", "scale"))
    joint = np.tile(np.log(weights), (num_groups, 1))
    np.add.at(joint, group, stats.norm.logpdf(y[:, None], loc, scale))
    return joint


@functools.cache
def grouped_fit():
    y, group, _ = data()
    return em.EM(grouped, num_restarts=3).run(KEY, y, group)


def test_a_class_for_each_group_by_index(x64):
    y, group, _ = data()
    fit = grouped_fit()
    assert fit.status.ok
    assert fit.spec.closed_form
    joint = scipy_groups(fit.params, y, group)
    np.testing.assert_allclose(fit.log_prob(), special.logsumexp(joint, 1), atol=1e-10)
    assert fit.log_likelihood == pytest.approx(special.logsumexp(joint, 1).sum(), rel=1e-12)
    np.testing.assert_allclose(fit.responsibilities(), special.softmax(joint, 1), atol=1e-9)
    assert np.all(np.diff(fit.trace) >= -1e-10)
    assert fit.num_free_params == 5
    # n counts the rows, as in R.
    assert fit.total_weight == N
    assert fit.bic == pytest.approx(-2 * fit.log_likelihood + 5 * np.log(N), rel=1e-12)


def test_a_class_for_each_group_is_scipys_optimum(x64):
    y, group, _ = data()
    fit = grouped_fit()

    def negative(v):
        params = {
            "weights": [special.expit(-v[0]), special.expit(v[0])],
            "loc": v[1:3],
            "scale": np.exp(v[3:]),
        }
        return -special.logsumexp(scipy_groups(params, y, group), 1).sum()

    start = np.concatenate([[0.1], np.asarray(fit.params["loc"]) + 0.1, [0.2, 0.1]])
    best = optimize.minimize(negative, start, method="BFGS", options={"gtol": 1e-7})
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-6)
    np.testing.assert_allclose(fit.params["loc"], best.x[1:3], atol=1e-4)
    np.testing.assert_allclose(fit.params["scale"], np.exp(best.x[3:]), rtol=1e-4)


@pytest.mark.slow
def test_rows_may_be_permuted_among_as_many_units(x64):
    """As many rows as units, each row with another's class: nothing in the shapes tells."""
    y, _, _ = data()
    order = np.random.default_rng(0).permutation(G)
    fit = em.EM(grouped, num_restarts=2).run(KEY, y[:G], order)
    joint = scipy_groups(fit.params, y[:G], order)
    assert fit.log_likelihood == pytest.approx(special.logsumexp(joint, 1).sum(), rel=1e-11)


def test_new_groups_are_scored(x64):
    fit = grouped_fit()
    y, group = np.array([0.3, 1.0, -0.5]), np.array([1, 0, 1])
    joint = scipy_groups(fit.params, y, group, 2)
    found = fit.log_prob(y, group, num_groups=2)
    np.testing.assert_allclose(found, special.logsumexp(joint, 1), atol=1e-10)


@pytest.mark.slow
def test_labelled_groups(x64):
    y, group, z = data()
    known = np.arange(G) < 12
    fit = em.EM(grouped, num_restarts=2).run(KEY, y, group, known=known, labels=z)
    joint = scipy_groups(fit.params, y, group)
    joint[known, 1 - z[known]] = -np.inf
    np.testing.assert_allclose(fit.log_prob(), special.logsumexp(joint, 1), atol=1e-10)
    np.testing.assert_array_equal(fit.predict()[known], z[known])


@pytest.mark.slow
def test_a_weight_of_a_group_repeats_it(x64):
    y, group, _ = data()
    times = np.random.default_rng(1).integers(1, 3, G)
    rows = [np.nonzero(group == g)[0] for g in range(G) for _ in range(times[g])]
    again_group = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    start = {n: np.asarray(v) for n, v in grouped_fit().params.items()}
    weighted = em.EM(grouped).run(KEY, y, group, weights=times.astype(float), init_params=start)
    repeated = em.EM(grouped).run(
        KEY, y[np.concatenate(rows)], again_group, num_groups=len(rows), init_params=start
    )
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-10)
    assert weighted.bic == pytest.approx(repeated.bic, rel=1e-10)
    for name, value in repeated.params.items():
        np.testing.assert_allclose(weighted.params[name], value, rtol=1e-5)


def test_classes_combined_across_groups_are_refused():
    def model(y, group):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("groups", G):
            z = numpyro.sample("z", dist.Bernoulli(0.5))
        with numpyro.plate("rows", y.shape[0]):
            numpyro.sample("y", dist.Normal(loc[z[group]] + loc[z[group - 1]], 1.0), obs=y)

    y, group, _ = data()
    with pytest.raises(
        ValueError, match=r"site 'y', row .* depends on more than that row's class 'z'.*z\[group\]"
    ):
        em.EM(model).run(KEY, y, group)
