"""Stochastic and annealed EM: they leave a poor start behind, and end as EM does."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import special, stats

from mixpyro import em
from mixpyro.em.classes.assignments.annealed import Annealed, Tempered
from mixpyro.em.classes.assignments.stochastic import Drawn, Stochastic

# From the saddle one draw in some twenty ends in a poor maximum; with key 0 it does.
KEY = jax.random.key(1)
pytestmark = pytest.mark.usefixtures("x64")

CENTRES = np.array([-13.0, -7.0, 20.0])
X = np.repeat(CENTRES, 60) + np.random.default_rng(1).normal(size=180)
STARTS = {
    "good": CENTRES,
    "saddle": np.zeros(3),  # three equal components stay equal
    "poor": np.array([-10.0, 19.0, 21.0]),  # one component has two groups, two share the third
}
LADDER = em.Annealed(start=0.002, growth=1.5)


def normals(x):
    with numpyro.plate("components", 3):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(3) / 3))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)


@functools.cache
def fitted(assign, start):
    return em.EM(normals, assign=assign).run(KEY, X, init_params={"loc": STARTS[start]})


@pytest.mark.parametrize(
    ("assign", "start"), [("stochastic", "saddle"), (LADDER, "saddle"), (LADDER, "poor")], ids=str
)
@pytest.mark.slow
def test_where_em_is_stuck_others_are_not(assign, start):
    best, stuck = fitted("soft", "good"), fitted("soft", start)
    assert best.log_likelihood > stuck.log_likelihood + 100
    fit = fitted(assign, start)
    assert fit.base_status is em.Status.CONVERGED
    loc = np.sort(fit.params["loc"])
    # The groups lie so far apart that the estimates are their means.
    np.testing.assert_allclose(loc, X.reshape(3, 60).mean(1), atol=0.02)
    table = np.log(1 / 3) + stats.norm.logpdf(X[:, None], loc, 1)
    assert fit.trace[-1] == pytest.approx(special.logsumexp(table, axis=1).sum(), abs=1e-8)
    steps = em.EM(normals, assign=assign).assign.num_steps
    assert fit.num_steps > steps
    assert np.all(np.diff(fit.trace[steps:]) >= -1e-10)  # from there on it is EM


def test_another_key_draws_other_classes():
    again = em.EM(normals, assign="stochastic").run(
        jax.random.key(5), X, init_params={"loc": STARTS["saddle"]}
    )
    assert not np.allclose(again.trace[:20], fitted("stochastic", "saddle").trace[:20])
    same = em.EM(normals, assign="stochastic").run(KEY, X, init_params={"loc": STARTS["saddle"]})
    np.testing.assert_array_equal(same.trace, fitted("stochastic", "saddle").trace)


def test_classes_are_drawn_in_the_proportions_of_the_responsibilities():
    joint = jnp.log(jnp.array([0.2, 0.5, 0.3]))[:, None] * jnp.ones(20_000)
    resp, log_likelihood = Drawn(KEY, jnp.asarray(1.0))(joint)
    assert set(np.unique(resp)) == {0.0, 1.0}
    assert (
        stats.chisquare(np.asarray(resp).sum(1), 20_000 * np.array([0.2, 0.5, 0.3])).pvalue > 1e-4
    )
    np.testing.assert_allclose(log_likelihood, 0, atol=1e-12)
    part, _ = Drawn(KEY, jnp.asarray(0.25))(joint)
    np.testing.assert_allclose(part, 0.25 * resp + 0.75 * np.exp(joint), atol=1e-12)


def test_tempering_is_a_power():
    joint = np.log([[0.05], [0.3], [0.1]])
    resp, log_likelihood = Tempered(jnp.asarray(0.5), KEY, jnp.asarray(0.0))(jnp.asarray(joint))
    power = np.sqrt(np.exp(joint))
    np.testing.assert_allclose(resp, power / power.sum(0), rtol=1e-12)
    np.testing.assert_allclose(log_likelihood, np.log(0.45), rtol=1e-12)


def test_the_schedules_end_as_soft_em():
    ladder = Annealed(start=0.5, growth=1.5, every=3)
    assert ladder.num_steps == 6
    powers = [float(ladder.at(jnp.asarray(t), KEY).power) for t in range(8)]
    np.testing.assert_allclose(powers, [0.5] * 3 + [0.75] * 3 + [1.0] * 2)
    noise = [float(Stochastic(10).at(jnp.asarray(t), KEY).noise) for t in (0, 5, 8, 10, 99)]
    np.testing.assert_allclose(noise, [1, 1, 0.4, 0, 0])
    with pytest.raises(ValueError, match="growth"):
        Annealed(growth=1.0)
