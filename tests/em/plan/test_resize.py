"""A reading serves another number of rows where the model computes the same, and only there."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.stats import multivariate_normal

from mixpyro import em, models
from mixpyro.em import programs
from mixpyro.em.calls.arguments import split
from mixpyro.em.machine.recent import Recent
from mixpyro.em.plan.resize import resized
from mixpyro.em.read import replay

KEY = jax.random.key(0)
_rng = np.random.default_rng(9)
X = np.concatenate([_rng.normal(size=70), _rng.normal(size=80) + 5])


class Normals:
    """Normals with one scale: free, or what is made of the number of rows."""

    def __init__(self, scale=None):
        self.scale = scale

    def __call__(self, x, components=2):
        n = x.shape[0]
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(components)))
        with numpyro.plate("components", components):
            loc = numpyro.sample("loc", dist.Normal(0, 10))
        scale = self.scale(n) if self.scale else numpyro.sample("scale", dist.HalfNormal(5))
        with numpyro.plate("rows", n):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


@pytest.fixture
def fresh(monkeypatch):
    """Nothing is remembered of any model."""

    def forget():
        monkeypatch.setattr(programs, "_programs", Recent(64))
        monkeypatch.setattr(programs, "_patterns", Recent(64))

    forget()
    return forget


def best(x, scale, start):
    """EM of two normals with one scale, free if None, written by hand."""
    weights, loc = np.array([0.5, 0.5]), np.array(start, float)
    free, scale = scale is None, 1.0 if scale is None else scale
    for _ in range(2000):
        log = np.log(weights) - 0.5 * ((x[:, None] - loc) / scale) ** 2
        log = log - np.log(scale) - 0.5 * np.log(2 * np.pi)
        total = np.logaddexp.reduce(log, 1)
        resp = np.exp(log - total[:, None])
        weights, loc = resp.mean(0), (resp * x[:, None]).sum(0) / resp.sum(0)
        if free:
            scale = np.sqrt((resp * (x[:, None] - loc) ** 2).sum() / len(x))
    return total.sum()


def test_a_model_is_run_a_few_times_for_another_number_of_rows(fresh, monkeypatch):
    runs, run = [], replay.run
    monkeypatch.setattr(
        replay, "run", lambda *args, **kwargs: runs.append(1) or run(*args, **kwargs)
    )
    model = Normals()
    em.EM(model).run(KEY, X).status  # noqa: B018
    first = len(runs)
    fit = em.EM(model).run(KEY, X[:-9])
    assert fit.status.ok
    assert len(runs) - first <= 7 < first
    np.testing.assert_allclose(fit.log_likelihood, best(X[:-9], None, (0, 5)), rtol=1e-5)


def test_it_is_what_a_reading_of_its_own_finds(fresh):
    model = Normals()
    em.EM(model).run(KEY, X)
    served = em.EM(model).run(KEY, X[:111])
    fresh()
    alone = em.EM(model).run(KEY, X[:111])
    assert served.log_likelihood == alone.log_likelihood
    assert str(served.spec) == str(alone.spec)
    assert served.summary().equals(alone.summary())


@pytest.mark.parametrize("sizes", [(150, 141), (141, 150)])
@pytest.mark.parametrize(
    "scale",
    [
        lambda n: 1.0 if n > 145 else 2.0,
        lambda n: 150.0 / n,
        lambda n: jnp.sqrt(n / 30),
        lambda n: jnp.full((), float(n)) / 120,
    ],
    ids=["chosen", "float", "array", "the number itself"],
)
def test_what_depends_on_the_number_of_rows_in_python_is_read_anew(scale, sizes, fresh):
    model = Normals(scale=scale)
    for n in sizes:
        fit = em.EM(model).run(KEY, X[:n])
        expected = best(X[:n], float(scale(n)), (0, 5))
        np.testing.assert_allclose(fit.log_likelihood, expected, rtol=1e-5)


def test_constants_of_the_model_are_compared(fresh):
    """Which component's location a class has, by an array that the jaxpr does not print."""

    def model(x):
        n = x.shape[0]
        which = np.array([0, 1] if n > 145 else [1, 1])
        ones = np.ones(n)
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            loc = numpyro.sample("loc", dist.Normal(0, 10))
        with numpyro.plate("rows", n):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[jnp.asarray(which)[z]], ones), obs=x)

    first = em.EM(model).run(KEY, X)
    np.testing.assert_allclose(first.log_likelihood, best(X, 1.0, (0, 5)), rtol=1e-5)
    for n, same in ((148, True), (141, False)):
        program = programs.program_for(model, split((X[:n],), {}))
        assert (resized(first.program, split((X[:n],), {})) is not None) == same
        assert program.num_rows == n


def test_means_of_covariates_serve_other_numbers_of_rows(fresh, monkeypatch):
    """The number of rows as a divisor: `poisson_regression_mixture` centres its covariates."""
    reads, read = [], programs.read_model
    monkeypatch.setattr(
        programs, "read_model", lambda *args, **kwargs: reads.append(1) or read(*args, **kwargs)
    )
    model, covariates = models.poisson_regression_mixture, np.stack([np.ones(150), X], 1)
    counts = np.random.default_rng(1).poisson(np.exp(0.2 * X))
    for n in (150, 141):
        call = split((counts[:n],), {"covariates": covariates[:n], "num_components": 2})
        program = programs.program_for(model, call)
        assert program.num_rows == n
    assert reads == [1]


@pytest.fixture
def many(monkeypatch):
    """So few rows count as very many, of which some are read: the numbers that were read."""
    monkeypatch.setattr(programs, "_MANY", 100)
    monkeypatch.setattr(programs, "_FEW", 41)
    reads, read = [], programs.read_model

    def reading(model, call, **kwargs):
        reads.append(call.longest)
        return read(model, call, **kwargs)

    monkeypatch.setattr(programs, "read_model", reading)
    return reads


def test_of_very_many_rows_some_are_read(fresh, many):
    served = em.EM(Normals()).run(KEY, X)
    assert many == [41]
    np.testing.assert_allclose(served.log_likelihood, best(X, None, (0, 5)), rtol=1e-5)
    programs._MANY = 1000
    fresh()
    alone = em.EM(Normals()).run(KEY, X)
    assert many == [41, 150]
    assert served.log_likelihood == alone.log_likelihood
    assert str(served.spec) == str(alone.spec)


@pytest.mark.parametrize(("large", "read"), [(4_500, 257), (2_000, 67), (60_000, 300)])
def test_of_wide_rows_some_are_read(fresh, many, monkeypatch, large, read):
    """A matrix of each, 300 times 16 numbers: fewer rows where these are too many."""
    monkeypatch.setattr(programs, "_MANY", 1 << 16)
    monkeypatch.setattr(programs, "_FEW", 1021)
    monkeypatch.setattr(programs, "_LARGE", large)
    x = np.random.default_rng(0).normal(size=(300, 4))
    fit = em.EM(models.gaussian_mixture).run(KEY, x, num_components=1)
    assert many == [read]
    density = multivariate_normal(x.mean(0), np.cov(x.T, bias=True)).logpdf(x)
    np.testing.assert_allclose(fit.log_likelihood, density.sum(), rtol=1e-6)


def test_of_very_many_rows_all_are_read_where_their_number_matters(fresh, many):
    model = Normals(scale=lambda n: 1.0 if n > 145 else 2.0)
    fit = em.EM(model).run(KEY, X)
    assert many == [41, 150]
    np.testing.assert_allclose(fit.log_likelihood, best(X, 1.0, (0, 5)), rtol=1e-5)


def test_of_very_many_rows_the_wrong_one_is_named(fresh, many):
    x = np.arange(150)
    x[97] = -3
    with pytest.raises(ValueError, match=r"support(.|\n)*97|97(.|\n)*support"):
        em.EM(models.poisson_mixture).run(KEY, x, num_components=2)


def test_groups_of_very_many_rows_are_read_in_full(fresh, many):
    """Which rows are a unit's depends on all of them."""
    rng = np.random.default_rng(4)
    items = rng.integers(0, 2, (150, 3))
    fit = em.EM(models.latent_class).run(KEY, items, num_components=2, num_categories=2)
    assert many == [41]
    assert fit.responsibilities().shape == (150, 2)
    x = np.stack([np.ones(150), np.tile(np.arange(5.0), 30)], 1)
    y = rng.normal(size=150)
    group = np.repeat(np.arange(30), 5)
    grown = em.EM(models.growth_mixture).run(KEY, y, covariates=x, group=group, num_components=2)
    assert many[-1] == 150
    assert grown.responsibilities().shape == (30, 2)


def test_a_site_that_only_some_numbers_of_rows_have(fresh):
    def model(x):
        Normals()(x)
        if x.shape[0] < 145:
            numpyro.factor("penalty", -3.0)

    one = em.EM(model).run(KEY, X)
    np.testing.assert_allclose(one.log_likelihood, best(X, None, (0, 5)), rtol=1e-5)
    other = em.EM(model).run(KEY, X[:-9])
    np.testing.assert_allclose(other.log_likelihood, best(X[:-9], None, (0, 5)) - 3, rtol=1e-5)


@pytest.mark.parametrize("shapes", [((6, 4), (4, 4)), ((4, 4), (6, 4)), ((3, 4), (6, 4))])
def test_numbers_that_stand_for_several_things(shapes, fresh):
    """As many rows as columns or components: told apart, or read anew."""
    points = np.random.default_rng(2).normal(size=(6, 4))
    likelihoods = []
    for known in (True, False):
        for n, d in shapes:
            if not known:
                fresh()
            x = points[:n, :d]
            run = em.EM(models.bernoulli_mixture, num_restarts=2)
            fit = run.run(KEY, (x > 0).astype(int), num_components=3)
            likelihoods.append(fit.log_likelihood)
    np.testing.assert_allclose(likelihoods[:2], likelihoods[2:], rtol=1e-6)


def test_other_columns_are_no_other_number_of_rows(fresh):
    points = np.random.default_rng(2).normal(size=(60, 4))
    first = programs.program_for(models.gaussian_mixture, split((points,), {"num_components": 2}))
    for other in (points[:, :3], points[:50, :3], points.T):
        call = split((other,), {"num_components": 2})
        program = programs.program_for(models.gaussian_mixture, call)
        assert program.structure.data[0].shape == other.shape
        assert program.layout.starts[-1] != first.layout.starts[-1]


def test_bad_data_are_refused_as_ever(fresh):
    em.EM(models.poisson_mixture).run(KEY, np.arange(50), num_components=2)
    with pytest.raises(ValueError, match="support"):
        em.EM(models.poisson_mixture).run(KEY, np.arange(40) - 3, num_components=2)
    with pytest.raises(ValueError, match="no rows"):
        em.EM(models.poisson_mixture).run(KEY, np.arange(0), num_components=2)


def test_more_digits_are_no_other_model(fresh):
    """JAX prints a long number on a line of its own, and a million as 1e+06 in single precision."""

    class Scaled(Normals):
        def __call__(self, x, components=2):
            super().__call__(x * jnp.float32(x.shape[0]) / jnp.float32(x.shape[0]), components)

    for model in (Normals(), Scaled()):
        few, many = (split((np.zeros(n, np.float32),), {}, model) for n in (90, 1_000_000))
        program = programs.program_for(model, few)
        assert resized(program, many).num_rows == 1_000_000
