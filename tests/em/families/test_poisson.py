import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case

CASES = [
    Case(
        distribution=dist.Poisson,
        params={"rate": [3.0, 14.0]},
        supports={"rate": constraints.positive},
        make=lambda rate: dist.Poisson(rate),
        draw=lambda rng, rate: rng.poisson(rate),
        log_density=lambda x, rate: stats.poisson.logpmf(x, rate),
    )
]
