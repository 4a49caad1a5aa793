"""Counts: zero-inflated, with a changepoint, of captures."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import special, stats

from .parts import mixed, shares

_rng = np.random.default_rng(111)
MODELS: dict[str, tuple] = {}


VISITS = _rng.poisson(3.0, 150) * (_rng.random(150) < 0.7)


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

YEARS = 60
DISASTERS = np.where(np.arange(YEARS) < 25, _rng.poisson(4.0, YEARS), _rng.poisson(1.2, YEARS))


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

OCCASIONS = 5
_caught = _rng.random(220) < 0.5
_capture = _rng.random((220, OCCASIONS)) < np.where(_caught, 0.55, 0.2)[:, None]
HISTORIES = _capture[_capture.any(1)].astype(int)


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
