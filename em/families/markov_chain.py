"""MarkovChain: sequences of m categories, by their first category and their pairs of neighbours."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from ...distributions.markov import MarkovChain as MarkovChainDistribution
from ...distributions.markov import counts
from ._family import Args, Family, Statistics, Ties, safe_log, standardise
from .categorical import proportions


class MarkovChain(Family):
    """``log f = sum_i [x_1 = i] log initial_i + sum_ij n_ij log transition_ij``.

    n_ij is how often j follows i. Estimates are the weighted proportions (Anderson and Goodman
    1957, Annals of Mathematical Statistics 28:89).
    """

    distributions = (MarkovChainDistribution,)
    domains = {"initial_probs": "simplex", "transition_probs": "simplexes"}
    conjugate = {"initial_probs": ("log",), "transition_probs": ("log",)}
    known = ("length",)
    rank = {"initial_probs": 1, "transition_probs": 2}

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return {"categories": jnp.arange(args["initial_probs"].shape[-1], dtype=x.dtype)}

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        first, pairs = counts(u.swapaxes(1, 2), known["length"], len(reference["categories"]))
        pairs = pairs.reshape(*first.shape[:2], -1)
        return jnp.concatenate([first, pairs], -1).swapaxes(1, 2).astype(u.dtype)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.zeros_like(x[:, 0])

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return standardise(self.features(u, known, reference), weights)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        first, pairs = safe_log(args["initial_probs"]), safe_log(args["transition_probs"])
        eta = jnp.concatenate([first, pairs.reshape(*first.shape[:-1], -1)], -1)
        return eta, jnp.zeros_like(eta[..., 0])

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        first, pairs = split(stats.sums, args["initial_probs"].shape[-1])
        sums = {"initial_probs": first, "transition_probs": pairs}
        return {name: proportions(name, sums[name], args[name], ties[name]) for name in args}

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        own = {n: terms["log"] if n == name else jnp.zeros_like(v) for n, v in args.items()}
        first, pairs = own["initial_probs"], own["transition_probs"]
        sums = jnp.concatenate([first, pairs.reshape(*first.shape[:-1], -1)], -1)
        return Statistics(jnp.zeros_like(first[..., 0]), sums)


def split(sums: jax.Array, m: int) -> tuple[jax.Array, jax.Array]:
    """(..., m) and (..., m, m) of features (..., m + m^2)."""
    return sums[..., :m], sums[..., m:].reshape(*sums.shape[:-1], m, m)
