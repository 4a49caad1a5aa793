"""Every model takes weights of its units: 2 is the unit twice, 0 drops it."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from scipy import stats

from mixpyro import em, models
from mixpyro.em.machine.by_numpy.interpret import interpreted

from ..examples import OF_CHAINS, OF_ROWS, every

# Of one unit, or one sequence.
WITHOUT = [models.changepoint, models.hidden_markov, models.switching_regression]
WEIGHTED = [e for e in OF_ROWS if e.model not in WITHOUT]
# One of each way to read rows; the other models differ by their densities.
READ = [
    models.examples(m)[0]
    for m in (
        models.poisson_mixture,
        models.gaussian_mixture,
        models.growth_mixture,
        models.contaminated_mixture,
        models.dawid_skene,
        models.latent_class,
        models.latent_profile,
        models.multinomial_mixture,
        models.occupancy,
        models.zero_inflated_regression,
    )
]


def weights_for(example):
    return np.arange(example.num_units) % 3


def sites_of(example, x, z, **more):
    params = {name: jnp.asarray(value) for name, value in example.params.items()}

    @interpreted
    def call(x, z, more):
        model = handlers.substitute(example.model, params | {"z": z})
        trace = handlers.trace(model).get_trace(x, **example.kwargs, **more)
        found = {}
        for name, site in trace.items():
            if site["type"] == "sample":
                log_prob = site["fn"].log_prob(site["value"])
                found[name] = log_prob if site["scale"] is None else site["scale"] * log_prob
        return found

    return {name: np.asarray(v, float) for name, v in call(x, z, more).items()}


@every(WEIGHTED)
def test_the_log_densities_of_units_are_multiplied_and_those_of_parameters_are_not(example, scored):
    it, weights = scored(example), weights_for(example)
    found = sites_of(example, it.x, it.z, weights=jnp.asarray(weights))
    of_rows = weights if example.group is None else weights[example.group]
    times = {"z": weights} | dict.fromkeys(example.columns, of_rows)
    for name, log_prob in it.log_probs.items():
        expected = times.get(name, 1) * log_prob
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-5, err_msg=name)


def repeated(example, x, weights):
    """The data and keywords with each unit as often as its weight says."""
    n = example.num_rows
    kwargs = dict(example.kwargs)
    if example.group is None:
        rows = np.repeat(np.arange(n), weights)
    else:
        new = 0
        rows, group = [], []
        for unit, times in enumerate(weights):
            own = np.flatnonzero(example.group == unit)
            for _ in range(times):
                rows.append(own)
                group.append(np.full(len(own), new))
                new += 1
        rows = np.concatenate(rows)
    for name, value in kwargs.items():
        if np.ndim(value) and np.shape(value)[0] == n and not isinstance(value, dict):
            kwargs[name] = np.asarray(value)[rows]
    if example.group is not None:
        kwargs |= {"group": np.concatenate(group), "num_groups": new}
    return jax.tree.map(lambda column: column[rows], x), kwargs


@every(READ, quick=lambda e: e.model is models.poisson_mixture)
def test_a_step_of_em_is_that_of_repeated_units(example, x64):
    draws = example.simulate(jax.random.key(20), interpreted)
    x = jax.tree.map(np.asarray, draws[example.data])
    weights = weights_for(example)
    step = em.EM(example.model, max_steps=1)
    start = {"init_params": dict(example.params)}
    one = step.run(jax.random.key(0), x, **example.kwargs, weights=weights, **start)
    rows, kwargs = repeated(example, x, weights)
    other = step.run(jax.random.key(0), rows, **kwargs, **start)
    assert one.trace[0] == pytest.approx(other.trace[0], rel=1e-9)
    assert one.num_free_params == other.num_free_params
    assert one.total_weight == other.total_weight
    for name, value in other.params.items():
        np.testing.assert_allclose(one.params[name], value, 1e-5, 1e-7, err_msg=name)


def test_all_but_those_of_one_unit_take_weights():
    for model in models.CATALOGUE.values():
        assert ("weights" in inspect.signature(model).parameters) != (model in WITHOUT)
    for example in OF_CHAINS:
        if example.model in WITHOUT:
            with pytest.raises(ValueError, match="the model has no keyword 'weights'"):
                em.EM(example.model).run(
                    jax.random.key(0), np.ones(9), num_components=2, weights=np.ones(9)
                )


@pytest.mark.slow
def test_people_weigh_what_their_steps_weigh(x64):
    (example,) = models.examples(models.latent_transition)
    x = np.asarray(example.simulate(jax.random.key(0))["x"])
    weights = np.arange(x.shape[1]) % 3
    step = em.EM(example.model, max_steps=1)
    start = {"init_params": dict(example.params), "num_components": 2, "num_categories": 3}
    one = step.run(jax.random.key(0), x, weights=weights, **start)
    other = step.run(jax.random.key(0), np.repeat(x, weights, axis=1), **start)
    assert one.trace[0] == pytest.approx(other.trace[0], rel=1e-9)
    assert one.bic == pytest.approx(other.bic, rel=1e-9)
    for name, value in other.params.items():
        np.testing.assert_allclose(one.params[name], value, 1e-7, 1e-9, err_msg=name)
    with pytest.raises(ValueError, match=r"weights must have shape \(200,\), one a row"):
        step.run(jax.random.key(0), x, weights=np.ones(3), **start)


@pytest.mark.parametrize("weights", [np.ones(5), np.ones((6, 1)), 2.0])
def test_weights_are_one_a_unit(weights):
    with pytest.raises(ValueError, match=r"weights must have shape \(6,\), one a row, but its"):
        handlers.seed(models.poisson_mixture, 0)(np.ones(6), num_components=2, weights=weights)
    given = {"covariates": np.ones((6, 1)), "group": np.arange(6) // 2, "num_groups": 3}
    with pytest.raises(ValueError, match=r"weights must have shape \(3,\), one a group"):
        handlers.seed(models.growth_mixture, 0)(
            np.ones(6), num_components=2, weights=np.ones(6), **given
        )


def test_new_rows_have_no_weights():
    x = np.repeat([1, 9], 20)
    fit = em.EM(models.poisson_mixture).run(
        jax.random.key(0), x, num_components=2, weights=np.arange(40.0)
    )
    assert np.asarray(fit.predict(np.array([0, 12, 0]))).tolist()[0] in (0, 1)
    assert fit.total_weight == np.arange(40).sum()


def test_one_class_of_groups_has_weights_and_log_densities(x64):
    y, group = np.arange(12.0), np.repeat([0, 1, 2], [2, 4, 6])
    weights = np.array([1.0, 2.0, 3.0])
    fit = em.EM(models.growth_mixture).run(
        jax.random.key(0),
        y,
        covariates=np.ones((12, 1)),
        group=group,
        num_groups=3,
        num_components=1,
        weights=weights,
    )
    mean = np.average(y, weights=weights[group])
    scale = np.sqrt(np.average((y - mean) ** 2, weights=weights[group]))
    each = np.bincount(group, stats.norm.logpdf(y, mean, scale))
    np.testing.assert_allclose(fit.log_prob(), each, rtol=1e-9)
    assert fit.log_likelihood == pytest.approx(weights @ each, rel=1e-9)
