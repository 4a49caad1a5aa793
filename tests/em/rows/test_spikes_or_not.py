"""What looks like a peak of an unbounded likelihood and is none, and one on a line."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import logsumexp

from mixpyro import em

KEY = jax.random.key(0)


@pytest.mark.slow
def test_a_scale_that_all_share_by_their_density_is_bounded(x64):
    """Four rows within a hundredth of the data's width, by a density that no family has."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.logistic(m, 0.01, n) for m, n in ((-1, 30), (0, 30), (1, 4))])

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
        scale = numpyro.sample("scale", dist.HalfNormal())
        with numpyro.plate("components", 3):
            loc = numpyro.sample("loc", dist.Normal())
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Logistic(loc[z], scale), obs=x)

    fit = em.EM(model).run(KEY, x)
    assert fit.base_status is em.Status.CONVERGED
    np.testing.assert_allclose(np.sort(fit.params["loc"]), [-1, 0, 1], atol=0.02)


def test_a_probability_is_no_spike(x64):
    """Claims, most of them 0 in one class: of either class, zeros have a probability."""

    class Claims(dist.Distribution):
        support = dist.constraints.real
        arg_constraints: ClassVar[dict] = {
            "zero": dist.constraints.unit_interval,
            "loc": dist.constraints.real,
        }

        def __init__(self, zero, loc):
            self.zero, self.loc = zero, loc
            super().__init__(jnp.broadcast_shapes(jnp.shape(zero), jnp.shape(loc)))

        def log_prob(self, value):
            some = jnp.where(value > 0, value, 1.0)
            above = jnp.log1p(-self.zero) + dist.LogNormal(self.loc, 0.5).log_prob(some)
            return jnp.where(value > 0, above, jnp.log(self.zero))

    rng = np.random.default_rng(0)
    x = np.concatenate([np.zeros(40), rng.lognormal(7, 0.5, 20), rng.lognormal(10, 0.5, 40)])

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            zero = numpyro.sample("zero", dist.Uniform())
            loc = numpyro.sample("loc", dist.Normal(8, 3))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", Claims(zero[z], loc[z]), obs=x)

    fit = em.EM(model).run(KEY, x)
    assert fit.base_status is em.Status.CONVERGED
    assert "NEARLY_SINGULAR" not in set(fit.restarts["status"])


@pytest.mark.slow
def test_residuals_of_a_regression_that_vanish(x64):
    """Five rows on a line: given a scale of their own, Student t's likelihood has no bound."""
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 1, 60)
    y = np.where(np.arange(60) % 2, 1 + 2 * x, -1 - x) + rng.normal(0, 0.5, 60)
    on_line = [3, 17, 31, 44, 58]
    y[on_line] = 0.5 * x[on_line]

    def model(y, x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            a, b = (numpyro.sample(n, dist.Normal()) for n in "ab")
            scale = numpyro.sample("scale", dist.HalfNormal())
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("y", dist.StudentT(4.0, a[z] + b[z] * x, scale[z]), obs=y)

    def height(width):
        lines = [stats.t.logpdf(y, 4, 0.5 * x, width), stats.t.logpdf(y, 4, 0, 1.0)]
        return logsumexp(lines, axis=0, b=[[5 / 60], [55 / 60]]).sum()

    fit = em.EM(model).run(KEY, y, x)
    assert fit.base_status is em.Status.CONVERGED
    assert np.asarray(fit.params["scale"]).min() > 0.2
    assert height(1e-6) > float(fit.log_likelihood) + 2
    there = {"a": [0.0, 0.0], "b": [0.5, 0.0], "scale": [1e-3, 1.0], "weights": [5 / 60, 55 / 60]}
    peak = em.EM(model).run(KEY, y, x, init_params={n: np.array(v) for n, v in there.items()})
    assert not peak.base_status.ok
