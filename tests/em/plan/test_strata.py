"""Rows that take their arguments from different entries: the estimate is closed, by stratum."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.special import gammaln

from mixpyro import em, models

pytestmark = pytest.mark.usefixtures("x64")
KEY = jax.random.key(0)
rng = np.random.default_rng(0)
N, PEOPLE = 60, 4
WHO = np.arange(N) % 3  # nobody is of the fourth
X = rng.poisson(np.where(rng.random(N) < 0.4, 2.0, 9.0) + WHO)


def counted(x, who):
    """Each rater has a rate of their own in each class."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        rate = numpyro.sample("rate", dist.Exponential(1).expand([PEOPLE]).to_event(1))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Poisson(rate[z, who]), obs=x)


def measured(x, who):
    """Each rater has a spread of their own, and a level in each class."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 9).expand([PEOPLE]).to_event(1))
    with numpyro.plate("people", PEOPLE):
        scale = numpyro.sample("scale", dist.HalfNormal(9))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z, who], scale[who]), obs=x)


LOW_HIGH = np.array([[2.0, 3.0, 4.0, 0.5], [9.0, 8.0, 7.0, 0.5]])
MINE = np.equal.outer(np.arange(PEOPLE), WHO)  # (people, n)


def rungs(fit):
    return {block.parameters: block.m_step for block in fit.spec.blocks}


def shares(log_density):
    return np.exp(log_density - np.logaddexp.reduce(log_density, 0))


def test_a_step_is_that_by_hand():
    start = {"weights": [0.5, 0.5], "rate": LOW_HIGH}
    fit = em.EM(counted, max_steps=1).run(KEY, X, WHO, init_params=start)
    assert rungs(fit)["rate",] == "closed form, by stratum"
    r = shares(X * np.log(LOW_HIGH[:, WHO]) - LOW_HIGH[:, WHO])
    rate = (r * X) @ MINE.T / np.where(MINE.any(1), r @ MINE.T, 1)
    rate[:, 3] = LOW_HIGH[:, 3]  # none of whose rows is there
    np.testing.assert_allclose(fit.params["rate"], rate, rtol=1e-10)
    other = np.array([3, 0, 3])  # other data may have other strata
    density = np.exp(dist.Poisson(rate[:, other]).log_prob(X[:3]))
    expected = np.log(np.asarray(fit.params["weights"]) @ density)
    np.testing.assert_allclose(fit.log_prob(X[:3], other), expected, rtol=1e-10)


@pytest.mark.slow
def test_spreads_that_classes_share_are_pooled():
    start = {"weights": [0.5, 0.5], "loc": LOW_HIGH, "scale": np.ones(PEOPLE)}
    fit = em.EM(measured, max_steps=1).run(KEY, X * 1.0, WHO, init_params=start)
    assert rungs(fit)["loc", "scale"] == "closed form, by stratum"
    r = shares(-0.5 * (X - LOW_HIGH[:, WHO]) ** 2)
    loc = (r * X) @ MINE.T / np.where(MINE.any(1), r @ MINE.T, 1)
    np.testing.assert_allclose(fit.params["loc"][:, :3], loc[:, :3], rtol=1e-10)
    variance = (MINE @ (r * (X - loc[:, WHO]) ** 2).sum(0))[:3] / MINE.sum(1)[:3]
    np.testing.assert_allclose(fit.params["scale"][:3], np.sqrt(variance), rtol=1e-10)


@pytest.mark.slow
def test_gaps_and_weights_of_labels():
    (example,) = models.examples(models.dawid_skene)
    label = np.asarray(example.simulate(KEY)["y"]).astype(float)
    label[::7] = np.nan
    group, who = example.kwargs["group"], example.kwargs["annotator"]
    weights = np.arange(200) % 3
    fit = em.EM(models.dawid_skene, max_steps=1).run(
        KEY, label, **example.kwargs, weights=weights, init_params=dict(example.params)
    )
    assert rungs(fit)["confusion",] == "closed form, by stratum"
    there = ~np.isnan(label)
    y, group, who = label[there].astype(int), group[there], who[there]
    log_c = np.log(example.params["confusion"])[:, who, y]
    joint = np.log(example.params["weights"])[:, None] + np.stack(
        [np.bincount(group, row, 200) for row in log_c]
    )
    r = weights * np.exp(joint - np.logaddexp.reduce(joint, 0))
    counts = np.zeros((2, 5, 2))
    for k in range(2):
        np.add.at(counts[k], (who, y), r[k, group])
    np.testing.assert_allclose(
        fit.params["confusion"], counts / counts.sum(-1, keepdims=True), rtol=1e-10
    )
    np.testing.assert_allclose(fit.params["weights"], r.sum(1) / r.sum(), rtol=1e-10)


def test_one_person_in_all_rows_is_no_stratum():
    """Who it is may differ in other data, so nothing is pooled by it; the optimum is that of EM."""

    def anew(x, who):  # a reading of other data would serve
        counted(x, who)

    fit = em.EM(anew, num_restarts=2).run(KEY, X, np.zeros(N, int))
    assert rungs(fit)["rate",] == "numeric, on rows"
    weights, rate = np.array([0.5, 0.5]), np.array([2.0, 9.0])
    for _ in range(500):
        log_density = np.log(weights)[:, None] + X * np.log(rate)[:, None] - rate[:, None]
        r = shares(log_density)
        weights, rate = r.mean(1), r @ X / r.sum(1)
    expected = np.logaddexp.reduce(log_density, 0).sum() - gammaln(X + 1).sum()
    assert fit.log_likelihood == pytest.approx(expected, abs=1e-6)
