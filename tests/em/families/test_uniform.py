import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em

# No case of the contract: its support moves with its arguments, so that a start may exclude rows.
CASES = []


def two_intervals(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        low = numpyro.sample("low", dist.Normal(0, 9))
        high = numpyro.sample("high", dist.Normal(0, 9))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Uniform(low[z], high[z]), obs=x)


@pytest.mark.slow
def test_hard_em_finds_two_intervals():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-3, 1, 80), rng.uniform(2, 9, 120)]).astype(np.float32)
    fit = em.EM(two_intervals, assign="hard").run(jax.random.key(0), x)
    assert fit.base_status is em.Status.CONVERGED
    order = np.argsort(fit.params["low"])
    np.testing.assert_array_equal(fit.params["low"][order], [x[:80].min(), x[80:].min()])
    np.testing.assert_array_equal(fit.params["high"][order], [x[:80].max(), x[80:].max()])
    np.testing.assert_allclose(fit.params["weights"][order], [0.4, 0.6], rtol=1e-6)
    # The likelihood has no maximum inside: bounds lie at an edge, and have no standard error.
    assert "low[0]" in fit.message
    assert fit.standard_errors()["low"].mask.all()
