"""What models of chains promise, on each of their examples."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers

from mixpyro import em, models
from mixpyro.data import load_earthquakes
from mixpyro.em.machine.by_numpy.interpret import interpreted

from ..examples import every_chain


def sites_of(example, x):
    """{site: its value and its log density}."""

    def call():
        params = {n: jnp.asarray(v) for n, v in example.params.items()}
        model = handlers.seed(handlers.substitute(example.model, params), 0)
        sites = handlers.trace(model).get_trace(x, **example.kwargs)
        samples = {n: s for n, s in sites.items() if s["type"] == "sample"}
        return {n: (s["value"], s["fn"].log_prob(s["value"])) for n, s in samples.items()}

    return interpreted(call)()


@every_chain
def test_simulated_data_are_scored(example):
    drawn = example.simulate(jax.random.key(1), interpreted)
    x, z = drawn[example.data], drawn["z"]
    assert x.shape[: z.ndim] == z.shape
    assert z.shape[-1] == example.num_rows
    assert set(np.unique(z)) == set(range(example.num_classes))
    sites = sites_of(example, x)
    assert set(sites) == {*example.params, "z", example.data}
    np.testing.assert_array_equal(sites[example.data][0], x)
    for _, log_prob in sites.values():
        assert np.isfinite(log_prob).all()


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
    # The states in the order of the truth: by what tells them apart most.
    located = next(n for n in ("loc", "rate", "coefficients", "probs") if n in example.params)
    found, true = np.asarray(fit.params[located]), example.params[located]
    order = min(
        map(list, itertools.permutations(range(len(true)))),
        key=lambda order: np.abs(found[order] - true).sum(),
    )
    errors = fit.standard_errors()
    for name, true in example.params.items():
        if name == "initial" and example.model is not models.latent_transition:
            continue  # one state says nothing of it
        found = np.asarray(fit.params[name])[order]
        near = np.asarray(errors[name].filled(np.inf))[order]
        if name == "transition":
            found, near = found[:, order], near[:, order]
        assert (np.abs(found - true) < 4 * near).all(), name
    path = np.argsort(order)[np.asarray(fit.decode())]
    assert (path == drawn["z"]).mean() > 0.85


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
    with pytest.raises(ValueError, match="num_times is missing"):
        models.latent_transition(num_components=2, num_categories=2)
    with pytest.raises(ValueError, match=r"x must have shape \(t, n, d\)"):
        models.latent_transition(np.ones((3, 4), int), num_components=2, num_categories=2)
    with pytest.raises(ValueError, match="covariates has 3 rows, but y has 4"):
        models.switching_regression(np.ones(4), covariates=np.ones((3, 1)), num_components=2)


@pytest.mark.slow
def test_stationary_earthquakes(x64):
    """Zucchini and MacDonald (2009), table 6.1: -log L of two states of a stationary chain."""
    counts = load_earthquakes()["earthquakes"].to_numpy()
    start = {"transition": [[0.9, 0.1], [0.1, 0.9]], "rate": [15.0, 26.0]}
    fit = em.EM(models.hidden_markov).run(
        jax.random.key(0), counts, num_components=2, stationary=True, init_params=start
    )
    assert fit.status.ok, fit.message
    assert -fit.log_likelihood == pytest.approx(342.3183, abs=5e-5)
    assert fit.num_free_params == 4


@pytest.mark.slow
def test_gaps_and_waves_without_an_interview(x64):
    """NaN leaves an answer out: the density is that of all paths, by NumPy."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, (3, 40, 2)).astype(float)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[1, :5] = np.nan
    fit = em.EM(models.latent_transition, num_restarts=1, max_steps=3).run(
        jax.random.key(0), x, num_components=2, num_categories=2
    )
    initial, transition, probs = (
        np.asarray(fit.params[n]) for n in ("initial", "transition", "probs")
    )
    seen = np.where(np.isnan(x), 0, x).astype(int)
    each = probs[:, np.arange(2), seen]  # (k, t, n, d)
    density = np.where(np.isnan(x), 1, each).prod(-1)
    total = 0
    for a, b, c in itertools.product(range(2), repeat=3):
        path = initial[a] * transition[a, b] * transition[b, c]
        total = total + path * density[a, 0] * density[b, 1] * density[c, 2]
    np.testing.assert_allclose(fit.log_prob(), np.log(total), atol=1e-10)
