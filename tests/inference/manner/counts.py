"""Counts: zero-inflated, with a changepoint, of captures."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import special, stats

from .data import DISASTERS, HISTORIES, OCCASIONS, VISITS, YEARS
from .parts import mixed, shares

MODELS: dict[str, tuple] = {}


def zero_inflated(y):
    present = numpyro.sample("present", dist.Beta(2.0, 2.0))
    rate = numpyro.sample("rate", dist.Gamma(2.0, 0.5))
    with numpyro.plate("sites", y.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(present))
        numpyro.sample("y", dist.Poisson(jnp.where(z == 1, rate, 1e-6)), obs=y)


MODELS["zero-inflated counts by hand"] = (
    zero_inflated,
    (VISITS,),
    lambda p: mixed(
        np.array([1 - p["present"], p["present"]]),
        stats.poisson.logpmf(VISITS[:, None], np.array([1e-6, float(p["rate"])])),
    ),
)


def changepoint(y):
    early = numpyro.sample("early", dist.Gamma(2.0, 0.5))
    late = numpyro.sample("late", dist.Gamma(2.0, 0.5))
    tau = numpyro.sample("tau", dist.Categorical(jnp.full(YEARS, 1 / YEARS)))
    with numpyro.plate("years", y.shape[0]):
        rate = jnp.where(jnp.arange(YEARS) < tau, early, late)
        numpyro.sample("y", dist.Poisson(rate), obs=y)


def changepoint_likelihood(p):
    years = np.arange(YEARS)
    rate = np.where(years[:, None] > years, p["early"], p["late"])
    return special.logsumexp(stats.poisson.logpmf(DISASTERS, rate).sum(1)) - np.log(YEARS)


MODELS["a changepoint"] = (changepoint, (DISASTERS,), changepoint_likelihood)


def captures(y):
    """Animals of two kinds; those never caught are not in the data: a truncated sample."""
    weights = shares()
    with numpyro.plate("kinds", 2):
        p = numpyro.sample("p", dist.Beta(2.0, 2.0))
    with numpyro.plate("animals", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample(
            "y", dist.Bernoulli(p[z][:, None]).expand([y.shape[0], 5]).to_event(1), obs=y
        )
    missed = jnp.sum(weights * (1 - p) ** OCCASIONS)
    numpyro.factor("caught", -y.shape[0] * jnp.log1p(-missed))


MODELS["capture and recapture of two kinds"] = (
    captures,
    (HISTORIES,),
    lambda p: (
        mixed(p["weights"], stats.bernoulli.logpmf(HISTORIES[..., None], p["p"]).sum(1))
        - len(HISTORIES) * np.log1p(-np.sum(p["weights"] * (1 - p["p"]) ** OCCASIONS))
    ),
)
