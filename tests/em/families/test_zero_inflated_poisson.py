import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case


def log_density(x, gate, rate):
    return np.log(gate * (x == 0) + (1 - gate) * stats.poisson.pmf(x, rate)).sum(-1)


CASES = [
    Case(
        distribution=dist.ZeroInflatedPoisson,
        # Of one column alone the gates are not determined: either component may have the zeros.
        params={"gate": [[0.5, 0.4, 0.6], [0.1, 0.2, 0.1]], "rate": [[3, 2, 4], [9, 8, 7]]},
        supports={"gate": constraints.unit_interval, "rate": constraints.positive},
        make=lambda gate, rate: dist.ZeroInflatedPoisson(gate, rate).to_event(1),
        draw=lambda rng, gate, rate: rng.poisson(rate) * (rng.random(rate.shape) >= gate),
        log_density=log_density,
        m_step="likelihood equations, on statistics",
        slow=True,
    )
]
