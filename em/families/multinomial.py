"""Multinomial: counts x of m categories in ``total_count`` draws (known)."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from numpyro.distributions import MultinomialLogits, MultinomialProbs

from ._family import Args, Family, Statistics, Ties, shares
from .categorical import log_probabilities, proportions


class Multinomial(Family):
    """``log f = sum_m x_m log p_m + log (total! / prod x_m!)``."""

    distributions = (MultinomialProbs, MultinomialLogits)
    domains = {"probs": "simplex", "logits": "real"}
    conjugate = {"probs": ("log",)}
    rank = {"probs": 1, "logits": 1}

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return u

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return shares(u, u.sum(1, keepdims=True), weights)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return gammaln(x.sum(1) + 1) - gammaln(x + 1).sum(1)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        log_p = log_probabilities(args)
        return log_p, jnp.zeros_like(log_p[..., 0])

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        return {name: proportions(name, stats.sums, args[name], ties[name]) for name in args}

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        return Statistics(jnp.zeros_like(terms["log"][..., 0]), terms["log"])
