"""The tutorial's model: frequencies, labels, known weights."""

import jax
import numpy as np
import pytest
from numpyro import handlers
from scipy import stats

from mixpyro import models

PARAMS = {"pi": 0.3, "p": 0.9, "q": 0.2}


def run(*args, **kwargs):
    """The values of the sites, and how those beside ``pi``, ``p`` and ``q`` are scored."""

    # Through a closure: which labels are given, and how many rows, is static.
    @jax.jit
    def call():
        seeded = handlers.seed(handlers.substitute(models.two_coins, PARAMS), jax.random.key(3))
        sites = handlers.trace(seeded).get_trace(*args, **kwargs)
        samples = {n: s for n, s in sites.items() if s["type"] == "sample" and n not in PARAMS}
        scores = {n: s["fn"].log_prob(s["value"]) for n, s in samples.items()}
        return {n: s["value"] for n, s in sites.items()}, scores

    return jax.tree.map(np.asarray, call())


def assert_frequencies(counts, probabilities):
    """Pearson's test, at a level that a right model fails once in 10,000 seeds."""
    expected = probabilities * counts.sum()
    assert stats.chisquare(counts, expected).pvalue > 1e-4


def test_simulated_frequencies_are_those_of_the_mixture():
    values, _ = run(num_tosses=4, num_rows=20_000)
    x, z = values["x"], values["z"]
    by_coin = stats.binom.pmf(np.arange(5), 4, [[PARAMS["q"]], [PARAMS["p"]]])
    shares = np.array([0.7, 0.3])
    assert_frequencies(np.bincount(z, minlength=2), shares)
    assert_frequencies(np.bincount(x, minlength=5), shares @ by_coin)
    for coin in (0, 1):
        assert_frequencies(np.bincount(x[z == coin], minlength=5), by_coin[coin])


def test_a_single_toss_is_a_bernoulli_trial():
    values, _ = run(num_rows=20_000)
    heads = 0.3 * 0.9 + 0.7 * 0.2
    assert_frequencies(np.bincount(values["x"], minlength=2), np.array([1 - heads, heads]))


@pytest.mark.parametrize("dtype", [int, bool, float])
def test_labels_give_the_complete_data_density(dtype):
    x, z = np.array([3, 0, 5, 1]), np.array([1, 0, 1, 0])
    values, scores = run(x, z.astype(dtype), num_tosses=5)
    np.testing.assert_array_equal(values["z"], z)
    expected = stats.bernoulli.logpmf(z, 0.3) + stats.binom.logpmf(x, 5, np.where(z, 0.9, 0.2))
    np.testing.assert_allclose(scores["z"] + scores["x"], expected, rtol=1e-4)


def test_partly_known_labels_are_kept_where_known():
    z, known = np.array([1, 0, 1, 0]), np.array([True, True, False, False])
    values, scores = run(np.array([5, 5, 5, 5]), z, known=known, num_tosses=5)
    np.testing.assert_array_equal(values["z"][known], z[known])
    expected = np.where(known, stats.bernoulli.logpmf(z, 0.3), 0)
    np.testing.assert_allclose(scores["z_observed"], expected, rtol=1e-5)
    expected = np.where(known, 0, stats.bernoulli.logpmf(values["z"], 0.3))
    np.testing.assert_allclose(scores["z_unobserved"], expected, rtol=1e-5)


def test_labels_alone_simulate_their_rows():
    values, _ = run(None, np.array([1, 0, 1]), num_tosses=1000)
    assert (values["x"] > 500).tolist() == [True, False, True]


def test_known_weights_as_in_do_and_batzoglou():
    fixed = handlers.condition(models.two_coins, {"pi": 0.5})
    model = handlers.substitute(fixed, {"p": 0.8, "q": 0.5, "z": np.array([0, 1, 1, 0, 1])})
    sites = handlers.trace(model).get_trace(np.array([5, 9, 8, 4, 7]), num_tosses=10)
    assert sites["pi"]["is_observed"]
    assert sites["pi"]["value"] == 0.5
    np.testing.assert_allclose(sites["z"]["fn"].log_prob(0), np.log(0.5), rtol=1e-6)


def test_tosses_may_differ_by_row():
    x, tosses = np.array([1, 8]), np.array([2, 10])
    _, scores = run(x, np.array([0, 1]), num_tosses=tosses)
    np.testing.assert_allclose(scores["x"], stats.binom.logpmf(x, tosses, [0.2, 0.9]), rtol=1e-4)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "both x and num_rows are missing"),
        ((np.zeros((3, 2)),), {}, r"x must have shape \(n,\), but its shape is \(3, 2\)"),
        ((np.zeros(3), np.zeros(4)), {}, r"z has shape \(4,\), but there are 3 rows"),
        ((np.zeros(3),), {"known": np.ones(3, bool)}, "z is missing"),
        ((np.zeros(3), np.zeros(3)), {"known": np.ones(2, bool)}, r"known has shape \(2,\), but"),
        ((np.zeros(3),), {"num_tosses": np.ones(2)}, r"num_tosses must be .* shape \(3,\)"),
    ],
)
def test_bad_arguments_are_named(args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        models.two_coins(*args, **kwargs)
