import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case

CASES = [
    Case(
        distribution=dist.Beta,
        params={"concentration1": [2.0, 30.0], "concentration0": [6.0, 9.0]},
        supports={"concentration1": constraints.positive, "concentration0": constraints.positive},
        make=dist.Beta,
        draw=lambda rng, concentration1, concentration0: rng.beta(concentration1, concentration0),
        log_density=lambda x, concentration1, concentration0: stats.beta.logpdf(
            x, concentration1, concentration0
        ),
        m_step="likelihood equations, on statistics",
        slow=True,
    ),
    Case(
        distribution=dist.BetaProportion,
        params={"mean": [0.25, 0.8], "concentration": [8.0, 39.0]},
        supports={"mean": constraints.unit_interval, "concentration": constraints.positive},
        make=dist.BetaProportion,
        draw=lambda rng, mean, concentration: rng.beta(
            mean * concentration, (1 - mean) * concentration
        ),
        log_density=lambda x, mean, concentration: stats.beta.logpdf(
            x, mean * concentration, (1 - mean) * concentration
        ),
        m_step="numeric, on statistics",
        slow=True,
    ),
]
