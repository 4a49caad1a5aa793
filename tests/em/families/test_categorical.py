import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import special

from .case import Case

HIGH, EVEN, LOW = [0.7, 0.15, 0.15], [0.2, 0.6, 0.2], [0.15, 0.2, 0.65]
PROBS = np.array([[HIGH, LOW, HIGH, EVEN], [LOW, EVEN, EVEN, HIGH]])


def draw(rng, probs):
    return (rng.random((*probs.shape[:-1], 1)) > probs.cumsum(-1)).sum(-1).clip(0, 2)


def log_density(x, probs):
    return sum(np.log(probs[item][x[:, item]]) for item in range(len(probs)))


CASES = [
    Case(
        distribution=dist.CategoricalProbs,
        params={"probs": PROBS},
        supports={"probs": constraints.simplex},
        make=lambda probs: dist.Categorical(probs=probs).to_event(1),
        draw=draw,
        log_density=log_density,
    ),
    Case(
        distribution=dist.CategoricalLogits,
        params={"logits": np.log(PROBS)},
        supports={"logits": constraints.real_vector},
        make=lambda logits: dist.Categorical(logits=logits).to_event(1),
        draw=lambda rng, logits: draw(rng, np.exp(logits)),
        log_density=lambda x, logits: log_density(x, special.softmax(logits, -1)),
        identified=False,  # a constant added to all logits of an item changes nothing
        slow=True,
    ),
]
