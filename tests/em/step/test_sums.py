"""Sums by component where each row counts for one only, beside sums over rows."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats

from mixpyro import em
from mixpyro.em.calls.arguments import split
from mixpyro.em.classes.assignments.hard import Hard
from mixpyro.em.programs import prepare, program_for
from mixpyro.em.step.expectation import e_step
from mixpyro.em.studies.replicates import reweighed

RNG = np.random.default_rng(4)


def two_sites(x, y, k):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
    with numpyro.plate("components", k):
        loc = numpyro.sample("loc", dist.Normal(0, 10).expand([2]).to_event(1))
        scale = numpyro.sample("scale", dist.HalfNormal(5).expand([2]).to_event(1))
        rate = numpyro.sample("rate", dist.Exponential(0.1))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]).to_event(1), obs=x)
        numpyro.sample("y", dist.Poisson(rate[z]), obs=y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [3, 40])
def test_each_row_counts_for_its_best_component(k, weighted, precision):
    x, y = RNG.normal(size=(700, 2)), RNG.poisson(6, size=700)
    given = {
        "weights": RNG.dirichlet(np.full(k, 5.0)),
        "loc": RNG.normal(size=(k, 2)),
        "scale": RNG.uniform(0.5, 2, size=(k, 2)),
        "rate": RNG.uniform(3, 9, size=k),
    }
    call = split((x.astype(precision), y), {"k": k}, two_sites)
    program = program_for(two_sites, call)
    rows, _ = prepare(program, call.arrays)
    w = RNG.integers(0, 3, size=700).astype(float) if weighted else np.ones(700)
    if weighted:
        rows = reweighed(program, rows, jnp.asarray(w, precision))
    params = {n: jnp.asarray(v, precision) for n, v in given.items()}
    found = jax.jit(lambda params, rows: e_step(program, Hard(), params, rows))(params, rows)

    joint = np.log(given["weights"]) + stats.poisson.logpmf(y[:, None], given["rate"])
    joint += stats.norm.logpdf(x[:, None], given["loc"], given["scale"]).sum(-1)
    best = joint.argmax(1)
    np.testing.assert_array_equal(found.labels, best)
    one_hot = np.eye(k)[best] * w[:, None]
    np.testing.assert_allclose(found.counts, one_hot.sum(0), rtol=1e-5)
    if not weighted:  # of other weights objectives do not compare
        np.testing.assert_allclose(found.objective, joint.max(1).sum(), rtol=1e-5)
    np.testing.assert_allclose(found.sums["y"][:, 0], one_hot.T @ y, rtol=1e-5)


def test_k_means_of_many_clusters_is_lloyds(x64):
    """The same steps by NumPy, from the same centroids."""
    x = RNG.normal(size=(1500, 3))
    centroids = x[RNG.choice(len(x), 50, replace=False)]
    for steps in (1, 8):
        mine = centroids.copy()
        for _ in range(steps):
            labels = ((x[:, None] - mine) ** 2).sum(-1).argmin(1)
            mine = np.stack([x[labels == j].mean(0) for j in range(50)])
        found = em.kmeans(x, 50, 0, init=centroids, max_steps=steps)
        np.testing.assert_allclose(found.centroids, mine, atol=1e-9)
