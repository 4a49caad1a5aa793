"""Models of many sites: the rows' scores, of which each site says its own part."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats

from mixpyro import em

pytestmark = pytest.mark.usefixtures("x64")
_rng = np.random.default_rng(4)
N = 60
CLASS = np.arange(N) < 25
X = np.where(CLASS, 0.0, 2.5)[:, None] + _rng.normal(size=(N, 2))
COUNTS = _rng.poisson(np.where(CLASS, 2.0, 6.0)[:, None], (N, 2))
YES = _rng.random((N, 2)) < np.where(CLASS, 0.25, 0.7)[:, None]
WEIGHTS = _rng.uniform(0.5, 2.0, N)
X[3, 0] = X[40, 1] = np.nan


def three_kinds(x, counts, yes, weights):
    """The scale belongs to two sites, everything else to one."""
    share = numpyro.param("share", 0.5, constraint=dist.constraints.unit_interval)
    loc = [numpyro.param(f"loc_{j}", jnp.array([0.0, 2.0])) for j in range(2)]
    positive = dist.constraints.positive
    scale = numpyro.param("scale", 1.0, constraint=positive)
    rate = [numpyro.param(f"rate_{j}", jnp.array([2.0, 5.0]), constraint=positive) for j in (0, 1)]
    unit = dist.constraints.unit_interval
    odds = [numpyro.param(f"yes_{j}", jnp.array([0.3, 0.6]), constraint=unit) for j in (0, 1)]
    with numpyro.plate("rows", len(x)), numpyro.handlers.scale(scale=weights):
        z = numpyro.sample("z", dist.Categorical(jnp.stack([1 - share, share])))
        for j in range(2):
            with numpyro.handlers.mask(mask=~jnp.isnan(x[:, j])):
                numpyro.sample(f"x_{j}", dist.Normal(loc[j][z], scale), obs=jnp.nan_to_num(x[:, j]))
            numpyro.sample(f"count_{j}", dist.Poisson(rate[j][z]), obs=counts[:, j])
            numpyro.sample(f"said_{j}", dist.Bernoulli(odds[j][z]), obs=yes[:, j])


NAMES = ("loc_0", "loc_1", "rate_0", "rate_1", "yes_0", "yes_1")


def log_density(theta):
    """(n,) by hand: share, scale, and two numbers of each of NAMES."""
    share, scale, *rest = theta
    by_name = dict(zip(NAMES, np.reshape(rest, (6, 2)), strict=True))
    total = np.log([1 - share, share])[:, None] + np.zeros((2, N))
    for k in range(2):
        for j in range(2):
            normal = stats.norm.logpdf(X[:, j], by_name[f"loc_{j}"][k], scale)
            total[k] += np.where(np.isnan(X[:, j]), 0, normal)
            total[k] += stats.poisson.logpmf(COUNTS[:, j], by_name[f"rate_{j}"][k])
            total[k] += stats.bernoulli.logpmf(YES[:, j], by_name[f"yes_{j}"][k])
    return np.logaddexp(*total)


def test_sandwich_errors_are_those_of_scores_written_by_hand():
    fit = em.EM(three_kinds).run(jax.random.key(0), X, COUNTS, YES, WEIGHTS)
    assert fit.status.ok
    found = fit.params
    theta = np.array([found["share"], found["scale"], *np.ravel([found[n] for n in NAMES])])
    m, h = len(theta), 1e-4
    steps = h * np.eye(m)
    scores = np.array([log_density(theta + s) - log_density(theta - s) for s in steps]) / (2 * h)
    np.testing.assert_allclose(scores @ WEIGHTS, 0, atol=1e-3)  # it is the optimum
    hessian = np.empty((m, m))
    for i, a in enumerate(steps):
        for j, b in enumerate(steps):
            corners = [theta + s * a + t * b for s in (1, -1) for t in (1, -1)]
            values = [log_density(c) @ WEIGHTS for c in corners]
            hessian[i, j] = (values[0] - values[1] - values[2] + values[3]) / (4 * h * h)
    bread = np.linalg.inv(-hessian)
    variance = bread @ (scores * WEIGHTS @ scores.T) @ bread
    errors = fit.standard_errors("sandwich")
    own = [errors["share"], errors["scale"], *np.ravel([errors[n] for n in NAMES])]
    np.testing.assert_allclose(np.array(own, float), np.sqrt(np.diagonal(variance)), rtol=2e-5)
