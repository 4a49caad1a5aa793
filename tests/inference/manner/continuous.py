"""Points, lines and lifetimes."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import stats

from .data import CROSSED, DIED, LINE, POINTS, T2, TIMES, T
from .parts import mixed, shares

MODELS: dict[str, tuple] = {}


def lkj(x):
    """Normals of one correlation matrix, with its LKJ prior."""
    weights = shares()
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0.0, 3.0).expand([2]).to_event(1))
    scale = numpyro.sample("scale", dist.LogNormal(0.0, 1.0).expand([2]).to_event(1))
    corr = numpyro.sample("corr", dist.LKJCholesky(2, 2.0))
    with numpyro.plate("points", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        tril = scale[:, None] * corr
        numpyro.sample("x", dist.MultivariateNormal(loc[z], scale_tril=tril), obs=x)


def lkj_likelihood(p):
    tril = p["scale"][:, None] * p["corr"]
    normal = [stats.multivariate_normal(m, tril @ tril.T).logpdf(POINTS) for m in p["loc"]]
    return mixed(p["weights"], np.stack(normal, 1))


MODELS["normals with an LKJ prior"] = (lkj, (POINTS,), lkj_likelihood)


def outliers(t, y):
    """A line, and rows that do not belong to it."""
    bad = numpyro.sample("bad", dist.Beta(2.0, 5.0))
    intercept = numpyro.sample("intercept", dist.Normal(0.0, 5.0))
    slope = numpyro.sample("slope", dist.Normal(0.0, 5.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    wide = numpyro.sample("wide", dist.HalfNormal(10.0))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("is_outlier", dist.Bernoulli(bad))
        mean = jnp.where(z == 1, 0.0, intercept + slope * t)
        numpyro.sample("y", dist.Normal(mean, jnp.where(z == 1, wide, sigma)), obs=y)


MODELS["a line with outliers"] = (
    outliers,
    (T, LINE),
    lambda p: mixed(
        np.array([1 - p["bad"], p["bad"]]),
        np.stack(
            [
                stats.norm.logpdf(LINE, p["intercept"] + p["slope"] * T, p["sigma"]),
                stats.norm.logpdf(LINE, 0.0, p["wide"]),
            ],
            1,
        ),
    ),
)


def regressions(t, y):
    weights = shares()
    with numpyro.plate("components", 2):
        a = numpyro.sample("a", dist.Normal(0.0, 5.0))
        b = numpyro.sample("b", dist.Normal(0.0, 5.0))
        sigma = numpyro.sample("sigma", dist.LogNormal(0.0, 1.0))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal(a[z] + b[z] * t, sigma[z]), obs=y)


MODELS["a mixture of regressions"] = (
    regressions,
    (T2, CROSSED),
    lambda p: mixed(
        p["weights"],
        stats.norm.logpdf(CROSSED[:, None], p["a"] + p["b"] * T2[:, None], p["sigma"]),
    ),
)


def lifetimes(time, died):
    """Of those alive at the end only the survival function is known: a factor for each row."""
    weights = shares()
    with numpyro.plate("components", 2):
        rate = numpyro.sample("rate", dist.Gamma(1.5, 1.0))
    with numpyro.plate("patients", time.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        fn = dist.Exponential(rate[z])
        numpyro.factor("time", jnp.where(died, fn.log_prob(time), -rate[z] * time))


MODELS["censored lifetimes of two classes, by factor"] = (
    lifetimes,
    (TIMES, DIED),
    lambda p: mixed(p["weights"], DIED[:, None] * np.log(p["rate"]) - p["rate"] * TIMES[:, None]),
)
