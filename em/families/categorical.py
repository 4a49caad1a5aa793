"""Categorical: x in {0, ..., m - 1} with probabilities ``probs`` (or ``logits``)."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from numpyro.distributions import CategoricalLogits, CategoricalProbs

from ._family import Args, Family, Statistics, Ties, ratio, safe_log


class Categorical(Family):
    """``log f = sum_m [x = m] log p_m``; the estimate is the weighted proportions."""

    distributions = (CategoricalProbs, CategoricalLogits)
    domains = {"probs": "simplex", "logits": "real"}
    conjugate = {"probs": ("log",)}
    rank = {"probs": 1, "logits": 1}

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        (values,) = args.values()
        return {"categories": jnp.arange(values.shape[-1], dtype=x.dtype)}

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return (u[:, None] == reference["categories"][:, None]).astype(u.dtype)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.zeros_like(x)

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return self.features(u, {}, reference).reshape(-1, u.shape[-1])

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        log_p = log_probabilities(args)
        return log_p, jnp.zeros_like(log_p[..., 0])

    def categories(self, args: Args) -> jax.Array:
        return jnp.exp(log_probabilities(args))

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        return {name: proportions(name, stats.sums, args[name], ties[name]) for name in args}

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        return Statistics(jnp.zeros_like(terms["log"][..., 0]), terms["log"])


def log_probabilities(args: Args) -> jax.Array:
    """``log p`` from whichever of probs and logits was given."""
    if "logits" in args:
        return jax.nn.log_softmax(args["logits"], -1)
    return safe_log(args["probs"])


def proportions(name: str, sums: jax.Array, old: jax.Array, ties: Ties) -> jax.Array:
    """Pooled proportions of the categories, as probs or as logits.

    A prior may take more rows from a category than there are: it has probability 0 then.
    """
    sums = jnp.maximum(ties.pool(sums), 0)
    total = sums.sum(-1, keepdims=True)
    if name == "logits":
        new = jnp.where(total > 0, safe_log(sums) - safe_log(total), old)
    else:
        new = ratio(sums, total, old)
    return ties.choose(new, old)
