"""Chains of classes, fitted: against all paths one by one, by hand, and published numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.contrib.control_flow import scan
from scipy import optimize, stats
from scipy.special import softmax

from mixpyro import em
from mixpyro.data import load_earthquakes

from .chain_forms import FORMS, by_hand, earthquakes, ragged

KEY = jax.random.key(0)
MAJOR = load_earthquakes()["earthquakes"].to_numpy()

pytestmark = pytest.mark.usefixtures("x64")


# The others are met by their density and gradient as well (`tests/inference/test_chains.py`).
QUICK = ("initial by where", "ragged", "covariates", "two chains", "weighted")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in FORMS]
)
def test_every_form_is_the_sum_over_all_paths(name):
    form = FORMS[name]
    fit = em.EM(form.model, num_restarts=1, max_steps=2, accelerate=None).run(KEY, *form.args)
    log_prob, smoothed, best = by_hand(form, fit.params)
    np.testing.assert_allclose(fit.log_prob(), log_prob, atol=1e-10)
    weights = form.args[1] if name == "weighted" else 1
    np.testing.assert_allclose(fit.log_likelihood, (weights * log_prob).sum(), atol=1e-9)
    found, decoded = fit.responsibilities(), fit.decode()
    if len(form.latents) == 1:
        found, decoded = {"z": found}, {"z": decoded}
    for z, k in form.latents.items():
        shape = (form.length, form.sequences, k)
        for s in range(form.sequences):
            own = slice(0, form.steps(s))
            mine = np.asarray(found[z]).reshape(shape)[own, s]
            np.testing.assert_allclose(mine, smoothed[z][own, s], atol=1e-10)
            path = np.asarray(decoded[z]).reshape(shape[:2])[own, s]
            np.testing.assert_array_equal(path, best[z][own, s])


def test_nothing_falls_and_closed_forms_are_known():
    fit = em.EM(earthquakes, num_restarts=3).run(KEY, MAJOR, num_states=3)
    assert (np.diff(fit.trace) > -1e-9).all()
    assert fit.spec.closed_form
    assert str(fit.spec).startswith("Chain of 3 states over 107 steps of 1 sequence")
    assert "initial or transition" in str(fit.spec)


@pytest.mark.parametrize(("states", "published"), [(2, 341.8787), (3, 328.5275)])
def test_earthquakes_by_defaults(states, published):
    """Zucchini & MacDonald (2009), section 4.2: minus the log-likelihood, free initial state."""
    fit = em.EM(earthquakes).run(KEY, MAJOR, num_states=states)
    assert fit.status.ok, fit.message
    assert round(-fit.log_likelihood, 4) == published
    assert fit.num_free_params == states - 1 + states * (states - 1) + states
    np.testing.assert_allclose(fit.aic, 2 * published + 2 * fit.num_free_params, atol=1e-3)
    rest = fit.num_free_params * np.log(107)
    np.testing.assert_allclose(fit.bic, 2 * published + rest, atol=1e-3)


def forward(x, initial, transition, log_density):
    """The log-likelihood, one step after the other."""
    with np.errstate(divide="ignore"):
        alpha, log_transition = np.log(initial) + log_density(x[0]), np.log(transition)
    for value in x[1:]:
        alpha = np.logaddexp.reduce(alpha[:, None] + log_transition, 0) + log_density(value)
    return np.logaddexp.reduce(alpha)


def poisson(rate):
    """The log density of a count in each state."""
    table = stats.poisson.logpmf(np.arange(60)[:, None], rate)
    return table.__getitem__


def by_scipy(u):
    transition = np.array([[0.5, 0.5, 0], [0, 0, 0], [0, 0, 1.0]])
    transition[1] = softmax([0, u[0], u[1]])
    return forward(MAJOR, [1, 0, 0], transition, poisson(np.exp(u[2:])))


def left_to_right(counts):
    """Three states, of which the first has fixed and the last forbidden ways out."""
    out = numpyro.sample("out", dist.Dirichlet(jnp.ones(3)))
    rate = numpyro.sample("rate", dist.Gamma(2, 0.1).expand([3]))
    transition = jnp.stack([jnp.array([0.5, 0.5, 0]), out, jnp.array([0.0, 0, 1])])
    first = jnp.array([1.0, 0, 0])

    def step(carry, count):
        z, t = carry
        z = numpyro.sample("z", dist.Categorical(jnp.where(t == 0, first, transition[z])))
        numpyro.sample("counts", dist.Poisson(rate[z]), obs=count)
        return (z, t + 1), None

    scan(step, (0, 0), counts)


def test_forbidden_and_fixed_transitions_reach_the_optimum_of_a_likelihood_by_hand():
    fit = em.EM(left_to_right).run(KEY, MAJOR)
    assert fit.status.ok, fit.message
    assert fit.spec.closed_form
    u = np.log([*(fit.params["out"][1:] / fit.params["out"][0]), *fit.params["rate"]])
    np.testing.assert_allclose(by_scipy(u), fit.log_likelihood, atol=1e-8)
    starts = [u + 0.3, [3, 0, *np.log([14, 25, 16])], [3, 0, *np.log([10, 20, 15])]]
    best = max(-optimize.minimize(lambda v: -by_scipy(v), v, method="BFGS").fun for v in starts)
    assert fit.log_likelihood > best - 1e-6


def test_standard_errors_are_those_of_the_numerical_hessian():
    model = handlers.condition(earthquakes, {"initial": jnp.array([0.5, 0.5])})
    fit = em.EM(model).run(KEY, MAJOR, num_states=2)

    def by_hand(v):
        a, b = v[:2]
        transition = np.array([[1 - a, a], [b, 1 - b]])
        return forward(MAJOR, [0.5, 0.5], transition, poisson(v[2:]))

    v = np.array(
        [fit.params["transition"][0, 1], fit.params["transition"][1, 0], *fit.params["rate"]]
    )
    steps, eye = 1e-4 * v, np.eye(4)
    hessian = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            terms = [
                s * t * by_hand(v + s * steps[i] * eye[i] + t * steps[j] * eye[j])
                for s in (1, -1)
                for t in (1, -1)
            ]
            hessian[i, j] = sum(terms) / (4 * steps[i] * steps[j])
    expected = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    errors = fit.standard_errors()
    found = [errors["transition"][0, 1], errors["transition"][1, 0], *errors["rate"]]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert set(fit.summary().index) >= {"transition[0, 1]", "rate[1]"}


def test_a_sequence_of_weight_two_counts_twice():
    rng = np.random.default_rng(5)
    x, lengths = rng.normal(size=(6, 3)), np.array([6, 3, 5])
    twice = em.EM(ragged, num_restarts=2, max_steps=5, accelerate=None)
    repeated = np.concatenate([x, x[:, 1:2]], 1), np.append(lengths, 3)
    start = {
        "initial": [0.6, 0.4],
        "transition": [[0.7, 0.3], [0.4, 0.6]],
        "loc": [-1.0, 1.0],
        "scale": [1.0, 1.0],
    }
    first = twice.run(KEY, *repeated, init_params=start)
    scaled = handlers.scale(ragged, scale=jnp.array([1.0, 2.0, 1.0]))
    again = em.EM(scaled, num_restarts=2, max_steps=5, accelerate=None)
    second = again.run(KEY, x, lengths, init_params=start)
    for name, value in first.params.items():
        np.testing.assert_allclose(second.params[name], value, atol=1e-10)
    np.testing.assert_allclose(first.log_likelihood, second.log_likelihood, atol=1e-10)
    assert first.total_weight == second.total_weight == 6 + 3 + 5 + 3


def test_steps_after_the_end_do_not_matter():
    rng = np.random.default_rng(6)
    x, lengths = rng.normal(size=(6, 3)), np.array([6, 3, 5])
    other = np.where(np.arange(6)[:, None] < lengths, x, 99.0)
    fit = em.EM(ragged, num_restarts=1, max_steps=4, accelerate=None)
    first, second = fit.run(KEY, x, lengths), fit.run(KEY, other, lengths)
    start = first.params
    first, second = (
        em.EM(ragged, max_steps=3, accelerate=None).run(KEY, v, lengths, init_params=start)
        for v in (x, other)
    )
    np.testing.assert_allclose(second.log_likelihood, first.log_likelihood, atol=1e-10)
    for name, value in first.params.items():
        np.testing.assert_allclose(second.params[name], value, atol=1e-10)


def test_a_gap_in_the_data_is_left_out():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(6, 2))
    x[2, 0] = np.nan
    x[4:, 1] = np.nan

    def model(x):
        transition = numpyro.sample("transition", dist.Dirichlet(jnp.ones(2)).expand([2]))
        loc = numpyro.sample("loc", dist.Normal(0, 1).expand([2]))

        def step(z, x):
            with numpyro.plate("sequences", 2):
                z = numpyro.sample("z", dist.Categorical(transition[z]))
                numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
            return z, None

        scan(step, jnp.zeros(2, int), x)

    fit = em.EM(model, num_restarts=1, max_steps=3).run(KEY, x)
    transition, loc = np.asarray(fit.params["transition"]), np.asarray(fit.params["loc"])

    def log_density(value):
        return np.zeros(2) if np.isnan(value) else stats.norm.logpdf(value, loc)

    expected = [forward(column, transition[0], transition, log_density) for column in x.T]
    np.testing.assert_allclose(fit.log_prob(), expected, atol=1e-10)
    assert fit.total_weight == 12


def test_a_long_chain_is_exact():
    rng = np.random.default_rng(8)
    x = rng.poisson(np.where(rng.random(100_000) < 0.3, 3.0, 12.0))
    start = {
        "initial": [0.5, 0.5],
        "transition": [[0.7, 0.3], [0.3, 0.7]],
        "rate": [3.0, 12.0],
    }
    fit = em.EM(earthquakes, max_steps=1, accelerate=None).run(KEY, x, 2, init_params=start)
    initial, transition, rate = (
        np.asarray(fit.params[n]) for n in ("initial", "transition", "rate")
    )
    expected = forward(x, initial, transition, poisson(rate))
    np.testing.assert_allclose(fit.log_likelihood, expected, rtol=1e-12)


@pytest.mark.parametrize("assign", ["hard", "stochastic", "annealed"])
def test_other_assignments(assign):
    fit = em.EM(earthquakes, assign=assign, num_restarts=3).run(KEY, MAJOR, num_states=2)
    assert fit.status.ok, fit.message
    if assign != "hard":
        np.testing.assert_allclose(-fit.log_likelihood, 341.8787, atol=1e-4)
        return
    path = np.asarray(fit.decode())
    np.testing.assert_array_equal(fit.labels, path)
    initial, transition, rate = (
        np.asarray(fit.params[n]) for n in ("initial", "transition", "rate")
    )
    joint = np.log(initial[path[0]]) + np.log(transition[path[:-1], path[1:]]).sum()
    joint += stats.poisson.logpmf(MAJOR, rate[path]).sum()
    np.testing.assert_allclose(fit.objective, joint, atol=1e-8)


def test_single_precision_finds_the_same_optimum():
    with jax.enable_x64(False):
        fit = em.EM(earthquakes, num_restarts=3).run(KEY, MAJOR, num_states=2)
    assert fit.status.ok, fit.message
    np.testing.assert_allclose(-fit.log_likelihood, 341.8787, atol=2e-3)


def test_simulation_new_data_labels_and_files(tmp_path):
    fit = em.EM(earthquakes, num_restarts=2).run(KEY, MAJOR, num_states=2)
    drawn = fit.sample(jax.random.key(1))
    assert {n: v.shape for n, v in drawn.items()} == {"z": (107,), "counts": (107,)}
    assert not np.array_equal(drawn["counts"], MAJOR)
    assert fit.log_prob(MAJOR[:40]).shape == (1,)
    assert fit.decode(MAJOR[:40]).shape == (40,)
    again = em.EM(earthquakes, max_steps=1)
    begun = again.run(KEY, MAJOR, num_states=2, init_responsibilities=fit.responsibilities())
    assert begun.log_likelihood > -350
    fit.save(tmp_path / "fit.npz")
    loaded = em.load(tmp_path / "fit.npz", earthquakes)
    np.testing.assert_allclose(loaded.responsibilities(), fit.responsibilities(), atol=1e-12)
    labels = np.full(107, -1)
    labels[:3] = 0
    known = em.EM(em.with_labels(earthquakes, z=labels), num_restarts=2)
    found = known.run(KEY, MAJOR, num_states=2).responsibilities()
    np.testing.assert_allclose(found[:3], [[1, 0]] * 3, atol=1e-12)
    short = em.EM(earthquakes, num_restarts=1, max_steps=3)
    assert "icl" not in em.sweep(short, KEY, MAJOR, num_states=[1, 2]).table
