import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import special, stats

from .case import Case

PROBS = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
DRAWS = 8


def draw(rng, probs):
    return rng.multinomial(DRAWS, probs)


CASES = [
    Case(
        distribution=dist.MultinomialProbs,
        params={"probs": PROBS},
        supports={"probs": constraints.simplex},
        make=lambda probs: dist.Multinomial(DRAWS, probs=probs),
        draw=draw,
        log_density=lambda x, probs: stats.multinomial.logpmf(x, DRAWS, probs / probs.sum()),
    ),
    Case(
        distribution=dist.MultinomialLogits,
        params={"logits": np.log(PROBS)},
        supports={"logits": constraints.real_vector},
        make=lambda logits: dist.Multinomial(DRAWS, logits=logits),
        draw=lambda rng, logits: draw(rng, np.exp(logits)),
        log_density=lambda x, logits: stats.multinomial.logpmf(x, DRAWS, special.softmax(logits)),
        identified=False,  # a constant added to all logits changes nothing
        slow=True,
    ),
]
