"""Geometric: x failures before the first success, which has probability ``probs``."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from numpyro.distributions import GeometricLogits, GeometricProbs

from ._family import Args, Family, Statistics, Ties
from .bernoulli import log_odds, proportion


class Geometric(Family):
    """``log f = x log(1 - p) + log p``; the estimate is ``p = N / (N + sum x)``."""

    distributions = (GeometricProbs, GeometricLogits)
    domains = {"probs": "unit_interval", "logits": "real"}
    conjugate = {"probs": ("log", "log1m")}

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return u[:, None]

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.zeros_like(x)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        log_p, log_q = log_odds(args)
        return log_q[..., None], -log_p

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        trials = stats.count + stats.sums[..., 0]
        return {
            name: proportion(name, stats.count, trials, args[name], ties[name]) for name in args
        }

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        return Statistics(terms["log"], terms["log1m"][..., None])
