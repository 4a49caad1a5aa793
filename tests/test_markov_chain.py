"""`mixpyro.distributions.MarkovChain`: its draws, and sequences of several lengths."""

import itertools

import jax
import numpy as np
import pytest
from scipy import stats

from mixpyro.distributions import MarkovChain

INITIAL = np.array([0.7, 0.3])
TRANSITION = np.array([[0.8, 0.2], [0.5, 0.5]])


def test_draws_have_the_shares_of_the_density():
    law = MarkovChain(INITIAL, TRANSITION, 3)
    assert law.event_shape == (3,)
    every = np.array(list(itertools.product([0, 1], repeat=3)))
    probs = np.exp(np.asarray(law.log_prob(every), float))
    np.testing.assert_allclose(probs[0b010], 0.7 * 0.2 * 0.5, rtol=1e-5)
    np.testing.assert_allclose(probs.sum(), 1, rtol=1e-5)
    draws = np.asarray(jax.jit(lambda: law.sample(jax.random.key(0), (20_000,)))())
    counts = np.bincount(draws @ [4, 2, 1], minlength=8)
    assert stats.chisquare(counts, 20_000 * probs / probs.sum()).pvalue > 1e-4


def test_steps_after_the_end_do_not_count():
    law = MarkovChain(INITIAL, TRANSITION, 3, np.array([1, 2, 3]))
    assert law.batch_shape == (3,)
    found = law.log_prob(np.array([[1, 0, 1], [1, 0, 1], [1, 0, 1]]))
    np.testing.assert_allclose(np.exp(found), [0.3, 0.3 * 0.5, 0.3 * 0.5 * 0.2], rtol=1e-5)
    draws = np.asarray(law.sample(jax.random.key(1), (50,)))
    assert draws.shape == (50, 3, 3)
    assert not draws[:, 0, 1:].any()
    assert not draws[:, 1, 2].any()


def test_what_cannot_be_and_what_is_refused():
    law = MarkovChain(np.array([1.0, 0.0]), np.eye(2), 3)
    assert law.log_prob(np.zeros(3, int)) == 0
    assert law.log_prob(np.array([0, 1, 1])) == -np.inf
    with pytest.raises(ValueError, match="transition_probs"):
        MarkovChain(INITIAL, np.ones((2, 2)), 3, validate_args=True)
