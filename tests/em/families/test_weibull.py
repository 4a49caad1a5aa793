import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case

ROWS = "likelihood equations, on rows"

CASES = [
    Case(
        distribution=dist.Weibull,
        params={"scale": [1.0, 9.0], "concentration": [1.5, 5.0]},
        supports={"scale": constraints.positive, "concentration": constraints.positive},
        make=lambda scale, concentration: dist.Weibull(scale, concentration),
        draw=lambda rng, scale, concentration: scale * rng.weibull(concentration),
        log_density=lambda x, scale, concentration: stats.weibull_min.logpdf(
            x, concentration, scale=scale
        ),
        m_step=ROWS,
        slow=True,
    ),
    Case(
        distribution=dist.Gumbel,
        params={"loc": [-3.0, 6.0], "scale": [0.7, 2.0]},
        supports={"loc": constraints.real, "scale": constraints.positive},
        make=dist.Gumbel,
        draw=lambda rng, loc, scale: rng.gumbel(loc, scale),
        log_density=lambda x, loc, scale: stats.gumbel_r.logpdf(x, loc, scale),
        m_step=ROWS,
        slow=True,
    ),
]
