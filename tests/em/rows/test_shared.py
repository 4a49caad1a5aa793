"""Features whose natural parameters all components share, beside sums over rows and components."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import special, stats

from mixpyro import em, models
from mixpyro.em.calls.arguments import split
from mixpyro.em.classes.assignments.soft import Soft
from mixpyro.em.machine.by_numpy.interpret import interpreted
from mixpyro.em.programs import prepare, program_for
from mixpyro.em.step.expectation import e_step, site_statistics
from mixpyro.em.studies.replicates import reweighed

RNG = np.random.default_rng(8)
X = RNG.normal(size=(130, 3)) @ np.array([[1, 0, 0], [0.5, 1, 0], [0, 0.3, 2]]) + 5
WEIGHTS = np.array([0.5, 0.3, 0.2])
LOC = np.array([[4.0, 5, 6], [5, 5, 5], [6, 4, 3]])
COV = np.array([[1.5, 0.4, 0], [0.4, 1, 0.2], [0, 0.2, 4]])


def columns(x):
    """Normals whose scales differ by column, and not by component."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    scale = numpyro.sample("scale", dist.HalfNormal(5).expand([3]).to_event(1))
    with numpyro.plate("components", 3):
        loc = numpyro.sample("loc", dist.Normal(0, 10).expand([3]).to_event(1))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale).to_event(1), obs=x)


CASES = {
    "covariance": (models.gaussian_mixture, {"num_components": 3, "covariance": "tied"}, COV),
    "scales": (columns, {}, np.diag(np.diag(COV))),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_objective_and_pooled_scatter(case, weighted, x64):
    model, kwargs, cov = CASES[case]
    call = split((X,), kwargs, model)
    program = program_for(model, call)
    (name,) = program.own
    rows, _ = prepare(program, call.arrays)
    w = RNG.integers(0, 3, size=len(X)).astype(float) if weighted else np.ones(len(X))
    params = {"weights": WEIGHTS, "loc": LOC}
    params |= {"scale": np.sqrt(np.diag(cov))} if case == "scales" else {"covariance_matrix": cov}
    site = next(s for s in program.statistical if s.name == name)

    @interpreted
    def step(params, rows, w):
        rows = reweighed(program, rows, w) if weighted else rows
        found = e_step(program, Soft(), params, rows)
        args = program.arguments(params, rows.arrays)[name]
        statistics = site_statistics(program, found, rows)[name]
        new = site.family.estimate(statistics, args, site.ties, rows.reference[name])
        return found.counts, found.objective, new

    counts, objective, new = step(params, rows, w)

    joint = np.stack([stats.multivariate_normal(m, cov).logpdf(X) for m in LOC], 1)
    joint += np.log(WEIGHTS)
    resp = special.softmax(joint, 1) * w[:, None]
    np.testing.assert_allclose(counts, resp.sum(0), rtol=1e-10)
    if not weighted:  # of other weights objectives do not compare
        total = special.logsumexp(joint, 1).sum()
        np.testing.assert_allclose(objective, total, rtol=1e-10)

    # The M-step's covariance: scatter around the new means, of all components together.
    means = resp.T @ X / resp.sum(0)[:, None]
    scatter = (
        sum((r[:, None] * (X - m)).T @ (X - m) for r, m in zip(resp.T, means, strict=True))
        / w.sum()
    )
    if case == "scales":
        np.testing.assert_allclose(new["loc"], means, rtol=1e-9)
        np.testing.assert_allclose(new["scale"][0] ** 2, np.diag(scatter), rtol=1e-9)
    else:
        np.testing.assert_allclose(new["loc"][:, 0], means, rtol=1e-9)
        np.testing.assert_allclose(new["covariance_matrix"][1, 0], scatter, rtol=1e-9, atol=1e-12)


def test_where_components_differ_nothing_is_shared():
    call = split((X,), {"num_components": 3}, models.gaussian_mixture)
    assert program_for(models.gaussian_mixture, call).own == {}
    gaps = X.copy()
    gaps[3, 1] = np.nan
    tied = {"num_components": 3, "covariance": "tied"}
    call = split((gaps,), tied, models.gaussian_mixture)
    assert program_for(models.gaussian_mixture, call).own == {}


@pytest.mark.parametrize("case", [pytest.param("covariance", marks=pytest.mark.slow), "scales"])
def test_batches_of_unequal_sizes(case, x64):
    model, kwargs, _ = CASES[case]
    kwargs = kwargs | ({"num_components": 2} if kwargs else {})
    whole = em.EM(model).run(0, X, **kwargs)
    parts = em.EM(model).run(0, em.Batches(X, batch_size=50), **kwargs)
    assert parts.status == whole.status == em.Status.CONVERGED
    np.testing.assert_allclose(parts.log_likelihood, whole.log_likelihood, atol=1e-5)


@pytest.mark.parametrize("places", [[[0, 1], [1, 0]], 1 - np.eye(3, dtype=int)], ids=len)
def test_scales_that_components_have_in_other_columns_are_not_shared(places, x64):
    """Every scale occurs in every component, but not in the same column."""
    places, k = np.array(places), len(places)

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
        scale = numpyro.sample("scale", dist.HalfNormal(5).expand([2]).to_event(1))
        with numpyro.plate("components", k):
            loc = numpyro.sample("loc", dist.Normal(0, 10).expand([k]).to_event(1))
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            own = scale[jnp.asarray(places)[z]]
            numpyro.sample("x", dist.Normal(loc[z], own).to_event(1), obs=x)

    x = X[:, :k]
    call = split((x,), {}, model)
    program = program_for(model, call)
    assert not program.own
    rows, _ = prepare(program, call.arrays)
    params = {"weights": WEIGHTS[:k] / WEIGHTS[:k].sum(), "loc": LOC[:k, :k]}
    params["scale"] = np.array([0.7, 2.0])
    of = interpreted(lambda params, rows: e_step(program, Soft(), params, rows).objective)
    objective = of(params, rows)
    joint = stats.norm.logpdf(x[:, None], params["loc"], params["scale"][places]).sum(-1)
    total = special.logsumexp(joint + np.log(params["weights"]), 1).sum()
    np.testing.assert_allclose(objective, total, rtol=1e-10)
