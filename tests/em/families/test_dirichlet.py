import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case


def draw(rng, concentration):
    gamma = rng.gamma(concentration)
    return gamma / gamma.sum(-1, keepdims=True)


CASES = [
    Case(
        distribution=dist.Dirichlet,
        params={"concentration": [[2.0, 3.0, 9.0], [30.0, 20.0, 12.0]]},
        supports={"concentration": constraints.independent(constraints.positive, 1)},
        make=dist.Dirichlet,
        draw=draw,
        log_density=lambda x, concentration: stats.dirichlet.logpdf(
            (x / x.sum(-1, keepdims=True)).T, np.asarray(concentration)
        ),
        m_step="likelihood equations, on statistics",
        slow=True,
    )
]
