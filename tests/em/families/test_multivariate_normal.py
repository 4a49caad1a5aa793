import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from .case import Case

LOC = np.array([[-2.0, 0.0], [5.0, 4.0]])
COVARIANCE = np.array([[[1.0, 0.5], [0.5, 0.8]], [[6.0, -2.0], [-2.0, 4.0]]])
# How each argument is made from a covariance matrix, and a covariance matrix from it.
FORMS = {
    "covariance_matrix": (lambda a: a, lambda a: a, constraints.positive_definite),
    "precision_matrix": (np.linalg.inv, np.linalg.inv, constraints.positive_definite),
    "scale_tril": (np.linalg.cholesky, lambda a: a @ a.mT, constraints.lower_cholesky),
}


def case(name):
    express, covariance, support = FORMS[name]

    def draw(rng, loc, **matrix):
        factor = np.linalg.cholesky(covariance(matrix[name]))
        return loc + (factor @ rng.normal(size=(*loc.shape, 1)))[..., 0]

    def log_density(x, loc, **matrix):
        return stats.multivariate_normal.logpdf(x, loc, covariance(matrix[name]))

    return Case(
        distribution=dist.MultivariateNormal,
        params={"loc": LOC, name: express(COVARIANCE)},
        supports={"loc": constraints.real_vector, name: support},
        make=dist.MultivariateNormal,
        draw=draw,
        log_density=log_density,
        slow=name != "covariance_matrix",
    )


def factors(rng, loc, cov_factor, cov_diag):
    noise = rng.normal(size=loc.shape) * np.sqrt(cov_diag)
    return loc + noise + (cov_factor @ rng.normal(size=(*loc.shape[:-1], 1, 1)))[..., 0]


CASES = [case(name) for name in FORMS] + [
    Case(
        distribution=dist.LowRankMultivariateNormal,
        params={
            "loc": [[-2.0, 0.0, 3.0, 0.0], [3.0, 4.0, 0.0, -3.0]],
            "cov_factor": [[[0.9], [0.7], [-0.8], [1.0]], [[0.5], [1.5], [1.0], [-1.2]]],
            "cov_diag": [[0.5, 0.6, 0.4, 0.5], [1.0, 0.7, 0.5, 0.8]],
        },
        supports={
            "loc": constraints.real_vector,
            "cov_factor": constraints.independent(constraints.real, 2),
            "cov_diag": constraints.independent(constraints.positive, 1),
        },
        make=dist.LowRankMultivariateNormal,
        draw=factors,
        log_density=lambda x, loc, cov_factor, cov_diag: stats.multivariate_normal.logpdf(
            x, loc, cov_factor @ cov_factor.T + np.diag(cov_diag)
        ),
        m_step="numeric, on statistics",
        slow=True,
    )
]
