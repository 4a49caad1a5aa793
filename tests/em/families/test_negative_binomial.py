import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import special, stats

from .case import Case

ROWS = "likelihood equations, on rows"
EXACT = 1e-6  # jax.scipy.special.betaln, in double precision too
PROBS = np.array([0.3, 0.6])

CASES = [
    Case(
        distribution=dist.NegativeBinomial2,
        params={"mean": [2.0, 25.0], "concentration": [4.0, 9.0]},
        supports={"mean": constraints.positive, "concentration": constraints.positive},
        make=dist.NegativeBinomial2,
        draw=lambda rng, mean, concentration: rng.poisson(
            rng.gamma(concentration, mean / concentration)
        ),
        log_density=lambda x, mean, concentration: stats.nbinom.logpmf(
            x, concentration, concentration / (concentration + mean)
        ),
        exact=EXACT,
        m_step=ROWS,
        slow=True,
    ),
    Case(
        distribution=dist.conjugate.NegativeBinomialProbs,
        params={"total_count": [4.0, 20.0], "probs": PROBS},
        supports={"total_count": constraints.positive, "probs": constraints.unit_interval},
        make=dist.conjugate.NegativeBinomialProbs,
        draw=lambda rng, total_count, probs: rng.negative_binomial(total_count, 1 - probs),
        log_density=lambda x, total_count, probs: stats.nbinom.logpmf(x, total_count, 1 - probs),
        exact=EXACT,
        m_step=ROWS,
        slow=True,
    ),
    Case(
        distribution=dist.conjugate.NegativeBinomialLogits,
        params={"total_count": [4.0, 20.0], "logits": special.logit(PROBS)},
        supports={"total_count": constraints.positive, "logits": constraints.real},
        make=dist.conjugate.NegativeBinomialLogits,
        draw=lambda rng, total_count, logits: rng.negative_binomial(
            total_count, special.expit(-logits)
        ),
        log_density=lambda x, total_count, logits: stats.nbinom.logpmf(
            x, total_count, special.expit(-logits)
        ),
        exact=EXACT,
        m_step=ROWS,
        slow=True,
    ),
]
