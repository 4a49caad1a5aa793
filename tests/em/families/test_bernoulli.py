import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import special, stats

from mixpyro.em.families.bernoulli import Bernoulli

from .case import Case

PROBS = np.array([[0.85, 0.8, 0.7, 0.8, 0.75, 0.8], [0.2, 0.3, 0.2, 0.25, 0.3, 0.15]])

CASES = [
    Case(
        distribution=dist.BernoulliProbs,
        params={"probs": PROBS},
        supports={"probs": constraints.unit_interval},
        make=lambda probs: dist.Bernoulli(probs=probs).to_event(1),
        draw=lambda rng, probs: rng.binomial(1, probs),
        log_density=lambda x, probs: stats.bernoulli.logpmf(x, probs).sum(-1),
    ),
    Case(
        distribution=dist.BernoulliLogits,
        params={"logits": special.logit(PROBS)},
        supports={"logits": constraints.real},
        make=lambda logits: dist.Bernoulli(logits=logits).to_event(1),
        draw=lambda rng, logits: rng.binomial(1, special.expit(logits)),
        log_density=lambda x, logits: stats.bernoulli.logpmf(x, special.expit(logits)).sum(-1),
        slow=True,
    ),
]


def test_an_item_takes_a_byte_until_its_number_is_needed(precision):
    x = jnp.array([[0.0, 1.0, 1.0]])
    u = Bernoulli().coordinates(x, {})
    assert u.dtype.itemsize == 1
    found = Bernoulli().features(u, {}, {})
    assert found.dtype == x.dtype == precision
    np.testing.assert_array_equal(found, x[:, None])
