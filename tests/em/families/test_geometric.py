import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import special, stats

from .case import Case

PROBS = np.array([0.7, 0.05])


# SciPy counts the trials up to the first success, NumPyro the failures before it.
CASES = [
    Case(
        distribution=dist.GeometricProbs,
        params={"probs": PROBS},
        supports={"probs": constraints.unit_interval},
        make=lambda probs: dist.Geometric(probs=probs),
        draw=lambda rng, probs: rng.geometric(probs) - 1,
        log_density=lambda x, probs: stats.geom.logpmf(x + 1, probs),
    ),
    Case(
        distribution=dist.GeometricLogits,
        params={"logits": special.logit(PROBS)},
        supports={"logits": constraints.real},
        make=lambda logits: dist.Geometric(logits=logits),
        draw=lambda rng, logits: rng.geometric(special.expit(logits)) - 1,
        log_density=lambda x, logits: stats.geom.logpmf(x + 1, special.expit(logits)),
        slow=True,
    ),
]
