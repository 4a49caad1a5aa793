import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case

SUPPORTS = {"loc": constraints.real, "scale": constraints.positive}

CASES = [
    Case(
        distribution=dist.Normal,
        params={"loc": [-2.0, 4.0], "scale": [0.5, 2.0]},
        supports=SUPPORTS,
        make=lambda loc, scale: dist.Normal(loc, scale),
        draw=lambda rng, loc, scale: rng.normal(loc, scale),
        log_density=lambda x, loc, scale: stats.norm.logpdf(x, loc, scale),
    ),
    Case(
        distribution=dist.LogNormal,
        params={"loc": [0.0, 2.0], "scale": [0.2, 0.8]},
        supports=SUPPORTS,
        make=lambda loc, scale: dist.LogNormal(loc, scale),
        draw=lambda rng, loc, scale: rng.lognormal(loc, scale),
        log_density=lambda x, loc, scale: stats.lognorm.logpdf(x, scale, scale=np.exp(loc)),
    ),
]
