"""What is traced and compiled, and when: once for a model and the shapes of its arguments."""

import contextlib
import weakref
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em
from mixpyro.em.climb import engine
from mixpyro.em.machine import kept as compiled
from mixpyro.em.machine.recent import Recent

KEY = jax.random.key(0)
_rng = np.random.default_rng(5)
X = np.where(np.arange(40) < 25, 0.0, 5.0) + _rng.normal(size=40)
Y = np.where(np.arange(40) < 10, -3.0, 4.0) + _rng.normal(size=40)


def normals(x, num_components):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
    scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


def run(x=X, key=KEY, model=normals, k=2, **options):
    return em.EM(model, num_restarts=3, **options).run(key, jnp.asarray(x), num_components=k)


@pytest.fixture(scope="module")
def fit():
    return run()


def test_a_first_run_is_seen_by_the_watch(watch_jax):
    """The other tests here would pass if nothing were ever noted."""
    with watch_jax() as work:
        run(X[:37], k=5)
    assert work.compiled
    assert work.traced


@pytest.mark.usefixtures("fit")
@pytest.mark.parametrize("change", ["nothing", "key", "data", "numpy array"])
def test_a_second_run_traces_and_compiles_nothing(change, watch_jax):
    data, key, other = jnp.asarray(Y), jax.random.key(17), jnp.asarray(X)
    with watch_jax() as work:
        if change == "data":
            again = run(data)
        elif change == "key":
            again = run(other, key)
        elif change == "numpy array":
            again = em.EM(normals, num_restarts=3).run(KEY, X, num_components=2)
        else:
            again = run(other)
    assert work.compiled == []
    assert work.traced == []
    if change == "data":
        np.testing.assert_allclose(
            np.sort(again.params["loc"]), [Y[:10].mean(), Y[10:].mean()], atol=0.1
        )


def test_the_same_em_object_runs_again_for_free(fit, watch_jax):
    fitter = em.EM(normals, num_restarts=3)
    fitter.run(KEY, jnp.asarray(X), num_components=2)
    with watch_jax() as work:
        again = fitter.run(KEY, jnp.asarray(X), num_components=2)
    assert (work.compiled, work.traced) == ([], [])
    assert again.log_likelihood == fit.log_likelihood
    np.testing.assert_array_equal(again.params["loc"], fit.params["loc"])


@pytest.mark.usefixtures("fit")
def test_other_shapes_and_other_static_arguments_are_other_programs(watch_jax):
    with watch_jax() as work:
        three = em.EM(normals, num_restarts=3).run(KEY, jnp.asarray(X), num_components=3)
    assert "leg" in work.traced
    assert three.params["loc"].shape == (3,)
    with watch_jax() as work:
        fewer = run(X[:30])
    assert work.compiled
    assert fewer.responsibilities().shape == (30, 2)


def test_scoring_the_training_data_compiles_once(watch_jax):
    fit = run(X[:36])
    with watch_jax() as work:
        fit.responsibilities()
    assert len(work.compiled) <= 1
    fit.predict(), fit.log_prob()
    again = run(Y[:36])
    with watch_jax() as work:
        fit.responsibilities()
        fit.log_prob()
        fit.predict()
        again.responsibilities()
    assert work.compiled == []
    assert work.traced == []


def test_predict_and_log_prob_compile_at_most_once_more(watch_jax):
    fit = run(X[:35])
    fit.responsibilities()
    for method in (fit.predict, fit.log_prob):
        with watch_jax() as work:
            method()
        assert len(work.compiled) <= 1


def test_scoring_new_data_of_one_shape_twice_compiles_nothing(fit, watch_jax):
    fit.responsibilities(jnp.asarray(Y[:11]))
    fit.predict(jnp.asarray(Y[:11]))
    with watch_jax() as work:
        fit.responsibilities(jnp.asarray(Y[1:12]))
        fit.log_prob(jnp.asarray(Y[2:13]))
        fit.predict(jnp.asarray(Y[3:14]))
    assert (work.compiled, work.traced) == ([], [])


def test_the_status_and_standard_errors_compile_once_a_program(fit, watch_jax):
    assert fit.status.ok
    fit.standard_errors()
    again = run(Y)
    with watch_jax() as work:
        assert again.status.ok
        again.standard_errors()
    assert (work.compiled, work.traced) == ([], [])


def test_another_precision_is_another_program(fit):
    for enabled, dtype, digits in ((True, "float64", 1e-7), (False, "float32", 1e-3)):
        with jax.enable_x64(enabled):
            other = em.EM(normals, num_restarts=3).run(KEY, X, num_components=2)
            assert other.params["loc"].dtype == dtype
            assert other.responsibilities().dtype == dtype
            resp = np.asarray(other.responsibilities(), float)
            loc = resp.T @ X / resp.sum(0)
            np.testing.assert_allclose(other.params["loc"], loc, atol=digits)
    assert fit.params["loc"].dtype == "float32"


def test_a_precision_changes_the_program_where_the_arrays_are_the_same():
    """float32 data under x64: the parameters and sums are float64."""
    x = jnp.asarray(X, jnp.float32)
    plain = em.EM(normals, num_restarts=3).run(KEY, x, num_components=2)
    with jax.enable_x64(True):
        wide = em.EM(normals, num_restarts=3).run(jax.random.key(0), x, num_components=2)
        assert wide.params["weights"].dtype == "float64"
    assert plain.params["weights"].dtype == "float32"


def test_a_model_defined_anew_is_not_taken_for_the_old_one():
    def make(shift):
        def model(x, num_components):
            loc = numpyro.sample("loc", dist.Normal(0, 5).expand([num_components]))
            with numpyro.plate("rows", x.shape[0]):
                z = numpyro.sample("z", dist.Categorical(jnp.ones(num_components) / 2))
                numpyro.sample("x", dist.Normal(loc[z] + shift, 1.0), obs=x)

        return model

    first, second = run(model=make(0.0)), run(model=make(2.0))
    np.testing.assert_allclose(
        np.sort(first.params["loc"]) - 2, np.sort(second.params["loc"]), atol=1e-3
    )


def test_models_not_used_lately_give_way_when_memory_maps_run_out(monkeypatch, watch_jax, tmp_path):
    """A process may have 65530 of them, and a few dozen fits would take them all."""
    monkeypatch.setattr(compiled, "_all", weakref.WeakSet())  # as in a new process
    monkeypatch.setattr(engine, "_kept", Recent(64))
    # To collect what all tests before have left takes seconds each time.
    monkeypatch.setattr(compiled, "gc", SimpleNamespace(collect=lambda: None))
    # Plans that no other test has.
    weighed = numpyro.handlers.condition(normals, {"weights": jnp.array([0.6, 0.4])})
    scaled = numpyro.handlers.condition(normals, {"scale": 1.0})
    first, second = run(X[:31], k=1), run(X[:32], model=scaled)
    with monkeypatch.context() as full:
        full.setattr(compiled, "_FULL", 0.0)
        full.setattr(compiled, "_unseen", 0)
        assert run(X[:33], model=weighed).status.ok
    with watch_jax() as work:
        run(X[1:34], model=weighed)
    assert work.compiled == []  # the one in use stays
    with watch_jax() as work:
        again = run(X[:31], k=1)
    assert "leg" in work.traced  # the oldest did not
    assert again.log_likelihood == first.log_likelihood
    assert second.summary().equals(run(X[:32], model=scaled).summary())
    monkeypatch.setattr(compiled, "_unseen", 0)
    monkeypatch.setattr(compiled, "_MAPS", tmp_path / "maps")
    assert not compiled.crowded()  # not there
    compiled._MAPS.write_text("map\n" * 9)
    monkeypatch.setattr(compiled, "_MOST", tmp_path / "most")
    for most, many in ((20, False), (16, True), (4096, False)):
        compiled._MOST.write_text(f"{most}\n")
        assert compiled.crowded() is many
    assert compiled._unseen == (2048 - 9) // 256
    compiled._MOST.write_text("16\n")
    told = [compiled.crowded() for _ in range(8)]
    assert told == [False] * 7 + [True]  # what is made meanwhile cannot fill them
    # Nothing is gained by forgetting: half of what is left may be taken before the next try.
    compiled._MOST.write_text("8192\n")
    compiled._MAPS.write_text("map\n" * 5000)
    monkeypatch.setattr(compiled, "_unseen", 0)
    assert compiled.crowded()
    compiled.forget(compiled.Compiled())
    told = [compiled.crowded() for _ in range(7)]
    assert told == [False] * 6 + [True]  # (8192 - 5000) / 2 / 256


@pytest.mark.parametrize("gaps", [False, True])
def test_the_model_runs_as_often_for_many_sites_as_for_few(gaps):
    """What is done for each site by itself does not run all of the model again."""
    calls = []

    def counts(columns, num_components):
        calls.append(len(columns))
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
        with numpyro.plate("components", num_components):
            rates = [numpyro.sample(f"rate_{n}", dist.Gamma(2, 0.5)) for n in columns]
        with numpyro.plate("rows", 40):
            z = numpyro.sample("z", dist.Categorical(weights))
            for rate, (name, column) in zip(rates, columns.items(), strict=True):
                there = column >= 0
                with numpyro.handlers.mask(mask=there) if gaps else contextlib.nullcontext():
                    numpyro.sample(name, dist.Poisson(rate[z]), obs=jnp.where(there, column, 0))

    rng = np.random.default_rng(11)
    data = {f"x{i}": rng.poisson(np.where(np.arange(40) < 20, 2, 8)) for i in range(9)}
    if gaps:
        data = {name: np.where(rng.random(40) < 0.1, -1, column) for name, column in data.items()}
    for number in (4, 9):
        some = {name: data[name] for name in list(data)[:number]}
        fit = em.EM(counts, num_restarts=2).run(KEY, some, num_components=2)
        assert fit.status.ok
        assert np.isfinite(fit.standard_errors()["weights"]).all()
    assert calls.count(9) <= calls.count(4)
