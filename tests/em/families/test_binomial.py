import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import special, stats

from .case import Case

PROBS = np.array([0.75, 0.25])


def trials(rng, n):
    """A number of trials for each row: the argument that is data."""
    return rng.integers(5, 15, n)


CASES = [
    Case(
        distribution=dist.BinomialProbs,
        params={"probs": PROBS},
        supports={"probs": constraints.unit_interval},
        make=lambda known, probs: dist.Binomial(known, probs=probs),
        draw=lambda rng, known, probs: rng.binomial(known, probs),
        log_density=lambda x, known, probs: stats.binom.logpmf(x, known, probs),
        known=trials,
    ),
    Case(
        distribution=dist.BinomialLogits,
        params={"logits": special.logit(PROBS)},
        supports={"logits": constraints.real},
        make=lambda known, logits: dist.Binomial(known, logits=logits),
        draw=lambda rng, known, logits: rng.binomial(known, special.expit(logits)),
        log_density=lambda x, known, logits: stats.binom.logpmf(x, known, special.expit(logits)),
        known=trials,
        slow=True,
    ),
]
