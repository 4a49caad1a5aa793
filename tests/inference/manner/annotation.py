"""Annotators who err."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.ops.indexing import Vindex

from .data import LEVELS, RATERS, VOTES
from .parts import mixed, shares

MODELS: dict[str, tuple] = {}


def votes_given(confusion):
    """(items, k) of (positions, k, levels)."""
    return np.log(confusion[np.arange(len(RATERS)), :, VOTES]).sum(1)


def multinomial(votes):
    levels = int(np.max(votes)) + 1
    with numpyro.plate("level", levels):
        confusion = numpyro.sample("confusion", dist.Dirichlet(jnp.full(levels, 2.0)))
    weights = shares(levels)
    with numpyro.plate("item", votes.shape[0], dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with numpyro.plate("position", votes.shape[1]):
            numpyro.sample("y", dist.Categorical(confusion[c]), obs=votes)


MODELS["annotation, one confusion matrix"] = (
    multinomial,
    (VOTES,),
    lambda p: mixed(
        p["weights"], votes_given(np.broadcast_to(p["confusion"], (len(RATERS), LEVELS, LEVELS)))
    ),
)


def dawid_skene(raters, votes):
    levels = int(np.max(votes)) + 1
    with (
        numpyro.plate("rater", int(np.max(raters)) + 1, dim=-2),
        numpyro.plate("level", levels),
    ):
        confusion = numpyro.sample("confusion", dist.Dirichlet(jnp.full(levels, 2.0)))
    weights = shares(levels)
    with numpyro.plate("item", votes.shape[0], dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with numpyro.plate("position", votes.shape[1]):
            numpyro.sample("y", dist.Categorical(Vindex(confusion)[raters, c, :]), obs=votes)


MODELS["annotation, Dawid and Skene"] = (
    dawid_skene,
    (RATERS, VOTES),
    lambda p: mixed(p["weights"], votes_given(p["confusion"][RATERS])),
)


def mace(raters, votes):
    levels, number = int(np.max(votes)) + 1, int(np.max(raters)) + 1
    with numpyro.plate("rater", number):
        guess = numpyro.sample("guess", dist.Dirichlet(jnp.full(levels, 10.0)))
        honest = numpyro.sample("honest", dist.Beta(2.0, 2.0))
    with numpyro.plate("item", votes.shape[0], dim=-2):
        c = numpyro.sample("c", dist.Categorical(logits=jnp.zeros(levels)))
        with numpyro.plate("position", votes.shape[1]):
            s = numpyro.sample("s", dist.Bernoulli(1 - honest[raters]))
            truth = jax.nn.one_hot(c, levels)
            probs = jnp.where(s[..., None] == 0, truth, guess[raters])
            numpyro.sample("y", dist.Categorical(probs), obs=votes)


def mace_likelihood(p):
    h, g = p["honest"][RATERS][:, None, None], p["guess"][RATERS][:, None]
    return mixed(np.full(LEVELS, 1 / LEVELS), votes_given(h * np.eye(LEVELS) + (1 - h) * g))


MODELS["annotation, MACE: a vote is a guess or the truth"] = (
    mace,
    (RATERS, VOTES),
    mace_likelihood,
)
