import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case

ROWS = "likelihood equations, on rows"
EXACT = 1e-6  # jax.scipy.special.betaln, in double precision too
DRAWS = 30


def draw(rng, concentration):
    gamma = rng.gamma(concentration)
    return rng.multinomial(DRAWS, gamma / gamma.sum(-1, keepdims=True))


CASES = [
    Case(
        distribution=dist.DirichletMultinomial,
        params={"concentration": [[9.0, 4.0, 1.0], [2.0, 3.0, 12.0]]},
        supports={"concentration": constraints.independent(constraints.positive, 1)},
        make=lambda concentration: dist.DirichletMultinomial(concentration, DRAWS),
        draw=draw,
        log_density=lambda x, concentration: stats.dirichlet_multinomial.logpmf(
            x, np.asarray(concentration), DRAWS
        ),
        exact=EXACT,
        m_step=ROWS,
        slow=True,
    ),
    Case(
        distribution=dist.BetaBinomial,
        params={"concentration1": [9.0, 2.0], "concentration0": [3.0, 9.0]},
        supports={"concentration1": constraints.positive, "concentration0": constraints.positive},
        make=lambda known, concentration1, concentration0: dist.BetaBinomial(
            concentration1, concentration0, known
        ),
        draw=lambda rng, known, concentration1, concentration0: rng.binomial(
            known, rng.beta(concentration1, concentration0)
        ),
        log_density=lambda x, known, concentration1, concentration0: stats.betabinom.logpmf(
            x, known, concentration1, concentration0
        ),
        known=lambda rng, n: rng.integers(20, 40, n),
        exact=EXACT,
        m_step=ROWS,
        slow=True,
    ),
]
