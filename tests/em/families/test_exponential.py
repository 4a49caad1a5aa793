import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case

CASES = [
    Case(
        distribution=dist.Exponential,
        params={"rate": [4.0, 0.1]},
        supports={"rate": constraints.positive},
        make=lambda rate: dist.Exponential(rate),
        draw=lambda rng, rate: rng.exponential(1 / rate),
        log_density=lambda x, rate: stats.expon.logpdf(x, scale=1 / rate),
    )
]
