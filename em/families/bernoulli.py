"""Bernoulli: x in {0, 1} with probability ``probs`` (or log odds ``logits``) of 1."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from numpyro.distributions import BernoulliLogits, BernoulliProbs

from ._family import Args, Family, Statistics, Ties, ratio, safe_log, safe_log1m


class Bernoulli(Family):
    """``log f = x logit(p) + log(1 - p)``; the estimate is the weighted proportion of ones."""

    distributions = (BernoulliProbs, BernoulliLogits)
    domains = {"probs": "unit_interval", "logits": "real"}
    conjugate = {"probs": ("log", "log1m")}

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        # A byte an entry is read faster than its number, which is made a chunk at a time.
        return x.astype(jnp.int8)

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return u[:, None].astype(float)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.zeros_like(x)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        log_p, log_q = log_odds(args)
        return (log_p - log_q)[..., None], -log_q

    def categories(self, args: Args) -> jax.Array:
        log_p, log_q = log_odds(args)
        return jnp.exp(jnp.stack([log_q, log_p], -1))

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        return {
            name: proportion(name, stats.sums[..., 0], stats.count, args[name], ties[name])
            for name in args
        }

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        return Statistics(terms["log"] + terms["log1m"], terms["log"][..., None])


def log_odds(args: Args) -> tuple[jax.Array, jax.Array]:
    """``log p`` and ``log (1 - p)`` from whichever of probs and logits was given."""
    if "logits" in args:
        return jax.nn.log_sigmoid(args["logits"]), jax.nn.log_sigmoid(-args["logits"])
    return safe_log(args["probs"]), safe_log1m(args["probs"])


def proportion(
    name: str, successes: jax.Array, trials: jax.Array, old: jax.Array, ties: Ties
) -> jax.Array:
    """The pooled proportion, as probs or as logits."""
    successes, trials = ties.pool(successes), ties.pool(trials)
    if name == "logits":
        failures = trials - successes
        new = jnp.where(trials > 0, safe_log(successes) - safe_log(failures), old)
    else:
        new = ratio(successes, trials, old)
        new = jnp.clip(new, 0, 1)
    return ties.choose(new, old)
