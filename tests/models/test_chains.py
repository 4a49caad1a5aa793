"""What models of chains promise, on each of their examples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers

from mixpyro import em, models
from mixpyro.em.machine.interpret import interpreted

from ..examples import every_chain


def sites_of(example, x):
    params = {n: jnp.asarray(v) for n, v in example.params.items()}
    model = handlers.seed(handlers.substitute(example.model, params), 0)
    return handlers.trace(model).get_trace(x, **example.kwargs)


@every_chain
def test_simulated_data_are_scored(example):
    drawn = example.simulate(jax.random.key(1), interpreted)
    x, z = drawn[example.data], drawn["z"]
    assert x.shape[0] == z.shape[0] == example.num_rows
    assert set(np.unique(z)) == set(range(example.num_classes))
    sites = sites_of(example, x)
    samples = {n: s for n, s in sites.items() if s["type"] == "sample"}
    assert set(samples) == {*example.params, "z", example.data}
    np.testing.assert_array_equal(sites[example.data]["value"], x)
    for site in samples.values():
        assert np.isfinite(site["fn"].log_prob(site["value"])).all()


@every_chain
@pytest.mark.slow
def test_em_finds_the_parameters_again(example, x64):
    kwargs = dict(example.kwargs)
    drawn = example.simulate(jax.random.key(1), interpreted)
    fit = em.EM(example.model, num_restarts=3).run(jax.random.key(2), drawn[example.data], **kwargs)
    assert fit.status.ok, fit.message
    assert fit.spec.closed_form
    truth = em.EM(example.model, max_steps=1).run(
        jax.random.key(2), drawn[example.data], init_params=example.params, **kwargs
    )
    assert fit.log_likelihood >= truth.trace[0] - 1e-6
    located = "loc" if "loc" in example.params else "rate"
    order = np.argsort(fit.params[located])
    errors = fit.standard_errors()
    for name, true in example.params.items():
        if name == "initial":
            continue  # one state says nothing of it
        found = np.asarray(fit.params[name])[order]
        near = np.asarray(errors[name].filled(np.inf))[order]
        if name == "transition":
            found, near = found[:, order], near[:, order]
        assert (np.abs(found - true) < 4 * near).all(), name
    path = np.argsort(order)[np.asarray(fit.decode())]
    assert (path == drawn["z"]).mean() > 0.9


@pytest.mark.parametrize(
    ("emission", "more", "shape"),
    [
        ("categorical", {"num_categories": 3}, (50,)),
        ("multivariate normal", {"num_features": 2}, (50, 2)),
    ],
)
@pytest.mark.slow
def test_other_emissions(emission, more, shape):
    kwargs = {"num_components": 2, "emission": emission, **more}
    draw = handlers.seed(models.hidden_markov, jax.random.key(3))
    x = draw(num_rows=50, **kwargs)
    assert x.shape == shape
    fit = em.EM(models.hidden_markov, num_restarts=2, max_steps=5).run(
        jax.random.key(4), x, **kwargs
    )
    assert np.isfinite(fit.log_likelihood)
    assert fit.spec.closed_form


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="emission must be one of 'poisson'"):
        models.hidden_markov(np.ones(4), num_components=2, emission="gamma")
    with pytest.raises(ValueError, match="num_categories"):
        models.hidden_markov(np.ones(4, int), num_components=2, emission="categorical")
    with pytest.raises(ValueError, match="num_components"):
        models.hidden_markov(np.ones(4), num_components=0)
    with pytest.raises(ValueError, match="num_rows"):
        models.hidden_markov(num_components=2)
