import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case

CASES = [
    Case(
        distribution=dist.VonMises,
        params={"loc": [-2.5, 0.5], "concentration": [8.0, 3.0]},
        supports={"loc": constraints.real, "concentration": constraints.positive},
        make=dist.VonMises,
        draw=lambda rng, loc, concentration: rng.vonmises(loc, concentration),
        log_density=lambda x, loc, concentration: stats.vonmises.logpdf(
            x, concentration, np.asarray(loc)
        ),
        m_step="likelihood equations, on statistics",
        slow=True,
    )
]
