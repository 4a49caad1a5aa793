"""Answers to items: binary and ordered."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import special, stats

from .data import ANSWERS, GRADES
from .parts import mixed, shares

MODELS: dict[str, tuple] = {}


def latent_classes(y):
    weights = shares()
    with numpyro.plate("items", 6, dim=-1), numpyro.plate("classes", 2, dim=-2):
        p = numpyro.sample("p", dist.Beta(2.0, 2.0))
    with numpyro.plate("people", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Bernoulli(p[z]).to_event(1), obs=y)


MODELS["latent classes of binary items"] = (
    latent_classes,
    (ANSWERS,),
    lambda p: mixed(p["weights"], stats.bernoulli.logpmf(ANSWERS[:, None], p["p"]).sum(2)),
)


def ordinal(y):
    """Ordered answers of two classes."""
    weights = shares()
    with numpyro.plate("classes", 2):
        level = numpyro.sample("level", dist.Normal(0.0, 2.0))
    gap = numpyro.sample("gap", dist.LogNormal(0.0, 0.5))
    with numpyro.plate("people", y.shape[0], dim=-2):
        z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("items", y.shape[1]):
            cuts = jnp.stack([jnp.zeros(()), gap])
            numpyro.sample("y", dist.OrderedLogistic(level[z], cuts), obs=y)


def ordinal_likelihood(p):
    upper = special.expit(np.array([0.0, float(p["gap"])])[:, None] - p["level"])
    probs = np.diff(np.concatenate([np.zeros((1, 2)), upper, np.ones((1, 2))]), axis=0)
    return mixed(p["weights"], np.log(probs[GRADES]).sum(1))


MODELS["ordered answers of two classes"] = (ordinal, (GRADES,), ordinal_likelihood)
