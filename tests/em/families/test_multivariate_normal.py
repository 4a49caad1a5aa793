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
        again=name != "covariance_matrix",
    )


CASES = [case(name) for name in FORMS]
