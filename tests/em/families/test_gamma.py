import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case

EQUATIONS = "likelihood equations, on statistics"
SUPPORTS = {"concentration": constraints.positive, "rate": constraints.positive}
PARAMS = {"concentration": [3.0, 30.0], "rate": [4.0, 5.0]}

CASES = [
    Case(
        distribution=dist.Gamma,
        params=PARAMS,
        supports=SUPPORTS,
        make=dist.Gamma,
        draw=lambda rng, concentration, rate: rng.gamma(concentration, 1 / rate),
        log_density=lambda x, concentration, rate: stats.gamma.logpdf(
            x, concentration, scale=1 / rate
        ),
        m_step=EQUATIONS,
        slow=True,
    ),
    Case(
        distribution=dist.InverseGamma,
        params=PARAMS,
        supports=SUPPORTS,
        make=dist.InverseGamma,
        draw=lambda rng, concentration, rate: rate / rng.gamma(concentration),
        log_density=lambda x, concentration, rate: stats.invgamma.logpdf(
            x, concentration, scale=rate
        ),
        m_step=EQUATIONS,
        slow=True,
    ),
    Case(
        distribution=dist.Chi2,
        params={"df": [2.0, 25.0]},
        supports={"df": constraints.positive},
        make=dist.Chi2,
        draw=lambda rng, df: rng.chisquare(df),
        log_density=lambda x, df: stats.chi2.logpdf(x, df),
        m_step=EQUATIONS,
        slow=True,
    ),
]
