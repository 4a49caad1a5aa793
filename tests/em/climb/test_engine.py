"""What is compiled is found again by its plan and size class, and by nothing less."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers

from mixpyro import em, models
from mixpyro.em.calls.arguments import split
from mixpyro.em.classes.assignments.hard import Hard
from mixpyro.em.classes.assignments.soft import Soft
from mixpyro.em.climb import engine
from mixpyro.em.climb.loop import climb
from mixpyro.em.climb.outset import all_starts
from mixpyro.em.climb.starts.kmeans_plus_plus import KMeansPlusPlus
from mixpyro.em.climb.state import Settings
from mixpyro.em.machine.recent import Recent
from mixpyro.em.plan.chunks import size_class
from mixpyro.em.programs import prepare, program_for

KEY = jax.random.key(0)
_rng = np.random.default_rng(3)
X = np.concatenate([_rng.normal(size=70), _rng.normal(size=80) + 4])
POINTS = np.stack([X, _rng.normal(size=150)], 1)
COUNTS = _rng.poisson(np.where(_rng.random(150) < 0.4, 2, 9))


def normals(x, k, shared=False, offset=0.0):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
    with numpyro.plate("components", k):
        loc = numpyro.sample("loc", dist.Normal(0, 10))
    with numpyro.plate("scales", 1 if shared else k):
        scale = numpyro.sample("scale", dist.HalfNormal(5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        own = scale[jnp.zeros_like(z)] if shared else scale[z]
        numpyro.sample("x", dist.Normal(loc[z] + offset, own), obs=x)


def written_anew(y, k):
    """The same plan in other words, of another order."""
    weights = numpyro.sample("weights", dist.Dirichlet(2 * jnp.ones(k)))
    loc = numpyro.sample("loc", dist.Normal(0, 3).expand([k]).to_event(1))
    scale = numpyro.sample("scale", dist.Gamma(2, 1).expand([k]).to_event(1))
    with numpyro.plate("people", len(y)):
        z = numpyro.sample("z", dist.Categorical(probs=weights))
        numpyro.sample("x", dist.Normal(loc=loc[z], scale=scale[z]), obs=y)


def key_of(model, *args, **kwargs):
    return engine.plan_key(program_for(model, split(args, kwargs)))


@pytest.fixture
def fresh(monkeypatch):
    """NumPy has no climbs of other tests behind it, after which it would leave these to XLA."""
    monkeypatch.setattr(engine, "_kept", Recent(64))


def test_another_number_of_rows_compiles_nothing(fresh, watch_jax):
    fit = em.EM(normals).run(KEY, X, k=2)
    with watch_jax() as work:
        other = em.EM(normals).run(KEY, X[:-9], k=2)
    assert work.compiled == []
    assert fit.log_likelihood != other.log_likelihood


def test_another_function_of_the_same_plan_compiles_nothing(fresh, watch_jax):
    fit = em.EM(normals).run(KEY, X, k=2)
    with watch_jax() as work:
        other = em.EM(written_anew).run(KEY, X[1:], k=2)
    assert work.compiled == []
    assert other.status.ok
    again = em.EM(written_anew).run(KEY, X, k=2)
    np.testing.assert_allclose(again.log_likelihood, fit.log_likelihood, rtol=1e-6)


def test_new_data_of_any_number_are_scored_without_a_compilation(watch_jax):
    fit = em.EM(normals).run(KEY, X, k=2)
    fit.responsibilities(X[:20], k=2)
    for number in (3, 21, 77, 150):
        with watch_jax() as work:
            found = fit.responsibilities(X[:number], k=2)
        assert work.compiled == []
        np.testing.assert_allclose(found, np.asarray(fit.responsibilities())[:number], atol=1e-6)


def test_plans_that_compute_other_things_are_told_apart():
    held = handlers.condition(normals, {"scale": jnp.array([1.0, 2.0])})
    elsewhere = handlers.condition(normals, {"scale": jnp.array([3.0, 4.0])})
    keys = [
        key_of(normals, X, k=2),
        key_of(normals, X, k=3),
        key_of(normals, X, k=2, shared=True),
        key_of(held, X, k=2),
        key_of(models.poisson_mixture, COUNTS, num_components=2),
        key_of(models.gaussian_mixture, POINTS, num_components=2),
        key_of(models.gaussian_mixture, POINTS, num_components=2, covariance="diagonal"),
        key_of(models.gaussian_mixture, POINTS, num_components=2, covariance="tied"),
    ]
    assert len(set(keys)) == len(keys)
    # Fixed values are data of a run, not part of the plan.
    assert key_of(elsewhere, X, k=2) == keys[3]
    assert key_of(normals, X[:-1], k=2) == keys[0]


def test_fixed_values_are_those_of_the_run():
    for scale in (0.5, 2.0):
        held = handlers.condition(normals, {"scale": jnp.full(2, scale)})
        fit = em.EM(held).run(KEY, X, k=2)
        density = [dist.Normal(m, scale).log_prob(X) for m in fit.params["loc"]]
        own = jax.scipy.special.logsumexp(
            jnp.stack(density) + jnp.log(fit.params["weights"])[:, None], 0
        ).sum()
        np.testing.assert_allclose(fit.log_likelihood, own, rtol=1e-6)


def test_a_function_of_the_parameters_shares_nothing():
    program = program_for(partial(normals, offset=1.0), split((X,), {"k": 2}))
    assert not program.alone


@pytest.mark.parametrize("assign", [Soft(), Hard()], ids=["soft", "hard"])
@pytest.mark.parametrize(
    ("model", "data", "options"),
    [
        (normals, X, {"k": 2}),
        (models.gaussian_mixture, POINTS, {"num_components": 3}),
        (models.gaussian_mixture, POINTS, {"num_components": 2, "covariance": "EEV"}),
        (models.poisson_mixture, COUNTS, {"num_components": 2}),
        (models.bernoulli_mixture, (POINTS > 1).astype(int), {"num_components": 2}),
    ],
)
def test_alike_means_the_same_program(model, data, options, assign):
    """The jaxprs of start and climb are those of other data of the size class, to the letter."""
    texts = []
    for n in (150, 141):
        program = program_for(model, split((data[:n],), options))
        assert program.alone
        rows, _ = prepare(program, split((data[:n],), options).arrays)
        rows = engine.given(program, rows)
        start = partial(all_starts, program, assign, KMeansPlusPlus(), 3)
        begun = jax.eval_shape(start, rows, KEY, None)
        up = partial(climb, program, Settings(assign, 100))
        params, expected, keys = begun
        texts.append(str(jax.make_jaxpr(start)(rows, KEY, None)))
        texts.append(str(jax.make_jaxpr(up)(rows, params, expected, 1e-8, 99, keys)))
    assert texts[:2] == texts[2:]


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 150, 4096, 4097, 10_000, 123_457, 10**7])
def test_size_classes_are_few_and_near(n):
    m = size_class(n)
    assert m >= n
    assert size_class(m) == m
    assert m <= max(1.5 * n, 32)
    assert n <= 4096 or m <= 1.04 * n


@pytest.mark.parametrize("n", [2**b for b in range(8, 24, 3)])
def test_there_are_few_of_them(n):
    classes = {size_class(m) for m in np.linspace(n, 2 * n, 3000).astype(int).tolist()}
    assert len(classes) <= (3 if n < 4096 else 33)
