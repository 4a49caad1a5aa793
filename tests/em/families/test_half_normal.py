import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case

CASES = [
    Case(
        distribution=dist.HalfNormal,
        params={"scale": [0.5, 6.0]},
        supports={"scale": constraints.positive},
        make=dist.HalfNormal,
        draw=lambda rng, scale: abs(rng.normal(0, scale)),
        log_density=lambda x, scale: stats.halfnorm.logpdf(x, scale=scale),
        slow=True,
    )
]
