"""One z for all data, and sites or classes in loops."""

import itertools

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import special, stats

from ..case import Case, positive, real, simplex
from .data import EVENTS, TIME, X
from .normals import NORMALS, P, classes_in_a_loop, normal_mixture, normals

CASES: dict[str, Case] = {}


def changepoint(y):
    before = numpyro.sample("before", dist.Gamma(2, 1))
    after = numpyro.sample("after", dist.Gamma(2, 1))
    z = numpyro.sample("z", dist.Categorical(jnp.full(40, 1 / 40)))
    with numpyro.plate("years", y.shape[0]):
        numpyro.sample("y", dist.Poisson(jnp.where(jnp.arange(40) < z, before, after)), obs=y)


def changepoint_likelihood(p):
    rate = np.where(TIME[:, None] > TIME, p["before"], p["after"])
    return special.logsumexp(stats.poisson.logpmf(EVENTS, rate).sum(1)) - np.log(40)


CASES["a changepoint"] = Case(
    changepoint, (EVENTS,), changepoint_likelihood, {"before": positive(), "after": positive()}
)


def sites_in_a_loop(x):
    weights, loc, scale = normals()
    with numpyro.plate("rows", 5):
        z = numpyro.sample("z", dist.Categorical(weights))
    for i in range(5):
        numpyro.sample(f"y{i}", dist.Normal(loc[z[i]], scale), obs=x[i])


CASES["a loop over observations"] = Case(
    sites_in_a_loop,
    (X[10:15],),
    lambda p: normal_mixture(p, X[10:15]),
    NORMALS,
    outcome="either",
    words="'(z|y[0-4])'",
    optimum=False,  # five rows of free scale: the likelihood has no maximum
)


def short_loop_likelihood(p):
    found, x = [], X[:4]
    for z in map(np.array, itertools.product((0, 1), repeat=4)):
        score = np.log(p["weights"][z[0]]) + np.log(P)[z[:-1], z[1:]].sum()
        found.append(score + stats.norm.logpdf(x, p["loc"][z], 1.0).sum())
    return special.logsumexp(found)


CASES["a short loop over time"] = Case(
    classes_in_a_loop,
    (X[:4],),
    short_loop_likelihood,
    {"weights": simplex(2), "loc": real(2)},
    outcome="either",
    words=r"'(z\d|y\d)'",
)
