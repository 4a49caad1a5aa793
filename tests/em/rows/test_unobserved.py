"""Categories that no row has are no dimensions: counts, names, ties, gaps, weights."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers

from mixpyro import em, models

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
LEVELS = (3, 2, 2, 3)


def answers(n=200):
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, m, n) for m in LEVELS], 1)


@pytest.mark.parametrize(("k", "expected"), [(1, 6), (2, 13), (3, 20)])
def test_items_of_different_levels_count_as_in_the_literature(k, expected):
    """``k (2 + 1 + 1 + 2) + k - 1``, as poLCA counts (Linzer & Lewis 2011, JSS 42:10)."""
    fit = em.EM(models.latent_class, num_restarts=2, max_steps=300).run(
        KEY, answers(), num_components=k, num_categories=3
    )
    assert fit.spec.num_free_params == k * 8 + k - 1
    assert fit.num_free_params == expected
    assert fit.bic == pytest.approx(-2 * fit.log_likelihood + expected * np.log(200))
    never = fit.never_observed["probs"]
    np.testing.assert_array_equal(never[..., :2], False)
    np.testing.assert_array_equal(never[..., 2], [[False, True, True, False]] * k)
    assert "Never observed, and no dimensions: probs[0, 1, 2], probs[0, 2, 2]" in fit.message
    assert "boundary: probs[0, 1, 2]" not in fit.message
    notes = fit.summary().note
    assert (notes == "never observed").sum() == 2 * k
    assert notes["probs[0, 1, 2]"] == "never observed"


def test_complete_data_lose_no_dimension():
    x = answers()[:, [0, 3]]
    fit = em.EM(models.latent_class, num_restarts=2, max_steps=50).run(
        KEY, x, num_components=2, num_categories=3
    )
    assert fit.never_observed == {}
    assert fit.num_free_params == fit.spec.num_free_params == 9


def with_gaps(x, seen, w, k):
    """Categories of two items that share their probabilities, in one class-free first item."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
    shared = numpyro.sample("shared", dist.Dirichlet(jnp.ones(4)))
    with numpyro.plate("components", k):
        probs = numpyro.sample("probs", dist.Dirichlet(jnp.ones(4)))
    with numpyro.plate("rows", x.shape[0]), handlers.scale(scale=w):
        z = numpyro.sample("z", dist.Categorical(weights))
        both = jnp.stack([jnp.broadcast_to(shared, probs[z].shape), probs[z], probs[z]], -2)
        numpyro.sample("x", dist.Categorical(both).mask(seen).to_event(1), obs=x)


def test_ties_gaps_and_weights_are_respected():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 3, (60, 3))  # 3 never occurs ...
    x[0, 2] = 3  # ... but once, in one of two items that share their probabilities
    x[1, 0], x[2, 0] = 3, 3  # twice in the first, where it is masked, or has no weight
    seen, w = np.ones((60, 3), bool), np.ones(60)
    seen[1, 0], w[2] = False, 0
    fit = em.EM(with_gaps, num_restarts=1, max_steps=30).run(
        KEY, jnp.asarray(x), jnp.asarray(seen), jnp.asarray(w), 2
    )
    assert set(fit.never_observed) == {"shared"}
    np.testing.assert_array_equal(fit.never_observed["shared"], [False, False, False, True])
    assert fit.num_free_params == 1 + 2 + 2 * 3


def of_counts(x, k):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
    with numpyro.plate("components", k):
        probs = numpyro.sample("probs", dist.Dirichlet(jnp.ones(x.shape[1])))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Multinomial(x.sum(-1), probs[z]), obs=x)


def test_counts_of_categories():
    x = np.random.default_rng(2).multinomial(20, [0.5, 0.3, 0, 0.2, 0], 80)
    fit = em.EM(of_counts, num_restarts=1, max_steps=30).run(KEY, jnp.asarray(x), 2)
    np.testing.assert_array_equal(fit.never_observed["probs"], [[0, 0, 1, 0, 1]] * 2)
    assert fit.num_free_params == 1 + 2 * 2
