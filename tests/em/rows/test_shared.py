"""Features whose natural parameters all components share, beside sums over rows and components."""

import itertools

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import special, stats

from mixpyro import em, models
from mixpyro.distributions import EigenNormal, HaarRotation
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


def mixture(law):
    """Three components of which ``law(loc, z, *more)`` is the density."""

    def model(x, *more):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
        with numpyro.plate("components", 3):
            loc = numpyro.sample("loc", dist.Normal(0, 10).expand([3]).to_event(1))
        own = law(loc, *more)
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", own(z), obs=x)

    return model


def by_column(loc):
    """Scales that differ by column, and not by component."""
    scale = numpyro.sample("scale", dist.HalfNormal(5).expand([3]).to_event(1))
    return lambda z: dist.Normal(loc[z], scale).to_event(1)


def given(loc, scale=1.0):
    return lambda z: dist.Normal(loc[z], scale).to_event(1)


def given_matrix(loc):
    return lambda z: dist.MultivariateNormal(loc[z], jnp.asarray(COV))


def given_by_class(loc, scale):
    return lambda z: dist.Normal(loc[z], scale[z]).to_event(1)


SCALE = np.sqrt(np.diag(COV))
DIAGONAL = np.diag(np.diag(COV))
VOLUME = np.prod(np.diag(COV)) ** (1 / 3)


def gaussian(covariance):
    return models.gaussian_mixture, {"num_components": 3, "covariance": covariance}


# Model, keywords, other arguments, covariance, parameters beside weights and loc.
CASES = {
    "covariance": (*gaussian("tied"), (), COV, {"covariance_matrix": COV}),
    "scales": (mixture(by_column), {}, (), DIAGONAL, {"scale": SCALE}),
    "EEI": (
        *gaussian("EEI"),
        (),
        DIAGONAL,
        {"volume": VOLUME, "log_shape": np.log(np.diag(COV) / VOLUME)},
    ),
    "EII": (*gaussian("EII"), (), 1.5 * np.eye(3), {"volume": 1.5}),
    "given 1": (mixture(given), {}, (), np.eye(3), {}),
    "given by column": (mixture(given), {}, (SCALE,), DIAGONAL, {}),
    "given matrix": (mixture(given_matrix), {}, (), COV, {}),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_objective_and_pooled_scatter(case, weighted, x64):
    model, kwargs, more, cov, own = CASES[case]
    call = split((X, *more), kwargs, model)
    program = program_for(model, call)
    (name,) = program.own
    rows, _ = prepare(program, call.arrays)
    w = RNG.integers(0, 3, size=len(X)).astype(float) if weighted else np.ones(len(X))
    params = {"weights": WEIGHTS, "loc": LOC} | own
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

    # The M-step: scatter around the new means, of all components together.
    means = resp.T @ X / resp.sum(0)[:, None]
    scatter = (
        sum((r[:, None] * (X - m)).T @ (X - m) for r, m in zip(resp.T, means, strict=True))
        / w.sum()
    )
    np.testing.assert_allclose(np.squeeze(new["loc"]), means, rtol=1e-9)
    if case == "scales":
        np.testing.assert_allclose(new["scale"][0] ** 2, np.diag(scatter), rtol=1e-9)
    elif case == "covariance":
        np.testing.assert_allclose(new["covariance_matrix"][1, 0], scatter, rtol=1e-9, atol=1e-12)
    elif case == "EEI":
        found = new["volume"][2, 0] * np.exp(new["log_shape"][2, 0])
        np.testing.assert_allclose(found, np.diag(scatter), rtol=1e-9)
    elif case == "EII":
        np.testing.assert_allclose(new["volume"], np.diag(scatter).mean(), rtol=1e-9)
    elif case == "given matrix":
        np.testing.assert_array_equal(new["covariance_matrix"][:, 0], [cov] * 3)
    else:
        np.testing.assert_array_equal(new["scale"], [np.sqrt(np.diag(cov))] * 3)


def test_where_components_differ_nothing_is_shared():
    call = split((X,), {"num_components": 3}, models.gaussian_mixture)
    assert program_for(models.gaussian_mixture, call).own == {}
    gaps = X.copy()
    gaps[3, 1] = np.nan
    tied = {"num_components": 3, "covariance": "tied"}
    call = split((gaps,), tied, models.gaussian_mixture)
    assert program_for(models.gaussian_mixture, call).own == {}


PARTS = {
    "volume": (1.3, dist.HalfNormal(5)),
    "log_shape": (np.array([0.5, 0.1, -0.6]), dist.ZeroSumNormal(1.0, (3,))),
    "orientation": (np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), HaarRotation(3)),
}


@pytest.mark.parametrize("free", [f for r in range(4) for f in itertools.combinations(PARTS, r)])
def test_shared_parts_of_covariances_far_apart(free, x64):
    """By the total of all components: a part of it, less one of them far away, is negative."""

    def law(loc):
        own = {n: numpyro.sample(n, d) if n in free else v for n, (v, d) in PARTS.items()}
        return lambda z: EigenNormal(loc[z], **own)

    z = RNG.integers(3, size=len(X))
    x = X + 30.0 * z[:, None] * np.array([1, 0, -1])
    model = mixture(law)
    call = split((x,), {}, model)
    program = program_for(model, call)
    rows, _ = prepare(program, call.arrays)
    (site,) = (s for s in program.statistical if s.name in program.own)
    loc = np.stack([x[z == j].mean(0) for j in range(3)])
    params = {"weights": WEIGHTS, "loc": loc} | {n: PARTS[n][0] for n in free}

    @interpreted
    def step(params, rows):
        found = e_step(program, Soft(), params, rows)
        args = program.arguments(params, rows.arrays)["x"]
        statistics = site_statistics(program, found, rows)["x"]
        return site.family.estimate(statistics, args, site.ties, rows.reference["x"])

    new = step(params, rows)
    np.testing.assert_allclose(new["loc"][:, 0], loc, rtol=1e-9)
    scatter = sum(np.cov(x[z == j].T, bias=True) * (z == j).sum() for j in range(3)) / len(x)

    def deviance(volume, log_shape, orientation):
        precision = orientation @ np.diag(np.exp(-log_shape)) @ orientation.T / volume
        return np.trace(precision @ scatter) + 3 * np.log(volume)

    found = {n: np.asarray(new[n][0, 0]) for n in PARTS}
    for name, (value, _) in PARTS.items():
        if name not in free:
            np.testing.assert_array_equal(found[name], value)
    # Each free part is the best given the others, by its closed form or by trial.
    axes, shape = found["orientation"], np.exp(found["log_shape"])
    along = np.diag(axes.T @ scatter @ axes)
    if "volume" in free:
        np.testing.assert_allclose(found["volume"], (along / shape).mean(), rtol=1e-6)
    if "log_shape" in free:
        np.testing.assert_allclose(shape, along / np.prod(along) ** (1 / 3), rtol=1e-5)
    if "orientation" in free:
        best = deviance(**found)
        for i, j in itertools.combinations(range(3), 2):
            for angle in np.linspace(0, np.pi, 61)[1:-1]:
                turn = np.eye(3)
                turn[[i, j], [i, j]] = np.cos(angle)
                turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
                assert best <= deviance(**found | {"orientation": axes @ turn}) + 1e-8


@pytest.mark.parametrize("law", [given, given_by_class])
def test_scales_that_are_data(law, x64):
    """A kept program serves other values: what is equal in one call may not be in the next."""
    model = mixture(law)
    for scale in (np.ones((3, 3)), np.array([[0.5, 1, 2], [1, 1, 1], [2, 1, 0.5]])):
        own = scale[0] if law is given else scale
        assert bool(program_for(model, split((X, own), {}, model)).own) == (law is given)
        fit = em.EM(model, num_restarts=1).run(0, X, own)
        joint = stats.norm.logpdf(X[:, None], fit.params["loc"], own).sum(-1)
        joint += np.log(fit.params["weights"])
        total = special.logsumexp(joint, 1)
        np.testing.assert_allclose(fit.log_likelihood, total.sum(), rtol=1e-10)
        resp = np.exp(joint - total[:, None])
        means = resp.T @ X / resp.sum(0)[:, None]
        np.testing.assert_allclose(fit.params["loc"], means, rtol=1e-4)


@pytest.mark.parametrize(
    "case", [pytest.param("covariance", marks=pytest.mark.slow), "scales", "given 1"]
)
def test_batches_of_unequal_sizes(case, x64):
    model, kwargs, *_ = CASES[case]
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
