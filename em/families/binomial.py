"""Binomial: x successes in ``total_count`` trials (known, one value or one a row)."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from numpyro.distributions import BinomialLogits, BinomialProbs

from ._family import Args, Family, Statistics, Ties, shares
from ._special import log_choose
from .bernoulli import log_odds, proportion


class Binomial(Family):
    """``log f = x log p + (m - x) log(1 - p) + log C(m, x)`` with m trials."""

    distributions = (BinomialProbs, BinomialLogits)
    domains = {"probs": "unit_interval", "logits": "real"}
    conjugate = {"probs": ("log", "log1m")}
    known = ("total_count",)

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.stack([u, known["total_count"] - u], 1)

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return shares(u, known["total_count"], weights)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return log_choose(jnp.broadcast_to(known["total_count"], x.shape), x)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        log_p, log_q = log_odds(args)
        return jnp.stack([log_p, log_q], -1), jnp.zeros_like(log_p)

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        successes, trials = stats.sums[..., 0], stats.sums.sum(-1)
        return {name: proportion(name, successes, trials, args[name], ties[name]) for name in args}

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        successes, failures = terms["log"], terms["log1m"]
        return Statistics(jnp.zeros_like(successes), jnp.stack([successes, failures], -1))
