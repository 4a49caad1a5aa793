"""Components that share a parameter are found to, whatever the data that a model is read with."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.optimize import minimize
from scipy.stats import t as student

from mixpyro import em

N = 200


def one_slope(x, y):
    """Student's t about ``b[z] + x tanh(b[0])``: where x is 0 no component feels the other's."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("classes", 2):
        b = numpyro.sample("b", dist.Normal(0, 10))
    with numpyro.plate("rows", N):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.StudentT(4.0, b[z] + x * jnp.tanh(b[0]), 1.0), obs=y)


def optimum(x, y):
    """SciPy's of the likelihood, from where the data were drawn, in either order of classes."""

    def minus(u):
        logs = [student.logpdf(y, 4, u[1 + j] + x * np.tanh(u[1])) for j in (0, 1)]
        return -np.logaddexp(
            logs[0] - np.logaddexp(0, u[0]), logs[1] - np.logaddexp(0, -u[0])
        ).sum()

    starts = ([0.0, 3, -2], [0.0, -2, 3])
    return -min(minimize(minus, start, tol=1e-10).fun for start in starts)


@pytest.mark.slow
def test_a_plan_made_of_zeros_serves_other_data(x64):
    rng = np.random.default_rng(0)
    middle = np.where(rng.random(N) < 0.4, 3.0, -2.0)
    for x in (np.zeros(N), 3 * rng.normal(size=N)):
        y = middle + x * np.tanh(3) + rng.normal(size=N)
        fit = em.EM(one_slope).run(jax.random.key(0), x, y)
        assert fit.status.ok
        assert fit.log_likelihood == pytest.approx(optimum(x, y), abs=1e-5)
