"""What was found of one data set by trying is found again of the next of the same shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import special, stats

from mixpyro import em

pytestmark = pytest.mark.usefixtures("x64")
UNITS, ROWS = 60, 60
RNG = np.random.default_rng(0)
CLASSES = np.arange(UNITS) % 2
ALONE, IN_PAIRS = np.arange(ROWS), np.arange(ROWS) // 2


def grouped(y, group, exposure):
    """Counts of units, whose class is found by an index."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        rate = numpyro.sample("rate", dist.Gamma(1.0, 0.1))
    with numpyro.plate("units", UNITS):
        z = numpyro.sample("z", dist.Categorical(weights))
    with numpyro.plate("rows", ROWS):
        numpyro.sample("y", dist.Poisson(rate[z[group]] * exposure), obs=y)


def by_hand(params, y, group, exposure):
    """(units,) log p of the counts of each unit."""
    rate = np.asarray(params["rate"]) * exposure[:, None]
    by_row = stats.poisson.logpmf(y[:, None], rate)
    by_unit = np.zeros((UNITS, 2))
    np.add.at(by_unit, group, by_row)
    return special.logsumexp(by_unit + np.log(params["weights"]), 1)


def counts(group, exposure=1.0):
    return RNG.poisson(np.where(CLASSES[group], 9, 2) * exposure)


SAME, SEVERAL = np.ones(ROWS), RNG.uniform(0.5, 4, ROWS)
DATA = {
    "of units alone": (counts(ALONE), ALONE, SAME),
    "of pairs": (counts(IN_PAIRS), IN_PAIRS, SAME),
    "of several exposures": (counts(IN_PAIRS, SEVERAL), IN_PAIRS, SEVERAL),
}


@pytest.mark.parametrize(
    "first", ["of units alone", *(pytest.param(n, marks=pytest.mark.slow) for n in list(DATA)[1:])]
)
def test_which_rows_are_a_units_and_what_differs_among_them_is_looked_at_again(first):
    fitter = em.EM(grouped)
    one = fitter.run(0, *DATA[first])
    for data in DATA.values():
        fit = fitter.run(0, *data)
        assert fit.status.ok
        np.testing.assert_allclose(fit.log_prob(), by_hand(fit.params, *data), rtol=1e-9)
        scored = one.log_prob(*data)
        np.testing.assert_allclose(scored, by_hand(one.params, *data), rtol=1e-9)


def line(y, x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        slope = numpyro.sample("slope", dist.Normal(0, 5).expand([x.shape[1]]).to_event(1))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal((slope[z] * x).sum(-1), scale[z]), obs=y)


def normal_line(n, rare):
    """Lines of two classes, and a covariate that few rows have."""
    x = np.column_stack([np.ones(n), np.arange(n) < rare])
    y = np.where(RNG.random(n) < 0.5, 3.0, -3.0) + 5 * x[:, 1] + RNG.normal(size=n)
    return y, x


@pytest.mark.parametrize("n", [150, 170])
def test_a_covariate_that_is_zero_in_one_data_set_is_none_in_the_next(n):
    fitter = em.EM(line)
    fitter.run(0, *normal_line(150, 0))
    y, x = normal_line(n, 20)
    fit = fitter.run(0, y, x)
    assert fit.status.ok
    mean = x @ np.asarray(fit.params["slope"]).T
    each = stats.norm.logpdf(y[:, None], mean, fit.params["scale"]) + np.log(fit.params["weights"])
    assert fit.log_likelihood == pytest.approx(special.logsumexp(each, 1).sum(), rel=1e-10)
    # At the maximum residuals of the rows that have it cancel, class by class.
    resp, gap = special.softmax(each, 1), y[:, None] - mean
    np.testing.assert_allclose((resp * gap * x[:, 1:]).sum(0), 0, atol=1e-2)


def test_a_covariate_that_few_of_very_many_rows_have():
    n, rng = 1 << 16, np.random.default_rng(5)
    x = np.column_stack([np.ones(n), np.zeros(n)])
    rare = rng.choice(n, 40, replace=False)
    x[rare, 1] = 1
    # Of those that are read of so many rows none has it.
    x[np.linspace(0, n - 1, 1021).astype(int), 1] = 0
    y = np.where(np.arange(n) % 2, 3.0, -3.0) + 50 * x[:, 1] + rng.normal(size=n)
    start = {"weights": [0.5, 0.5], "slope": [[3.0, 40.0], [-3.0, 40.0]], "scale": [1.0, 1.0]}
    start = jax.tree.map(np.asarray, start, is_leaf=lambda v: isinstance(v, list))
    fit = em.EM(line).run(0, y, x, init_params=start)
    assert fit.status.ok
    np.testing.assert_allclose(np.asarray(fit.params["slope"])[:, 1], 50, atol=3)
