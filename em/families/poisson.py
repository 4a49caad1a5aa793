"""Poisson: counts with mean ``rate``."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from numpyro.distributions import Poisson as NumPyroPoisson

from ._family import Args, Family, Statistics, Ties, ratio, safe_log


class Poisson(Family):
    """``log f = x log(rate) - rate - log x!``; the estimate is the weighted mean."""

    distributions = (NumPyroPoisson,)
    domains = {"rate": "positive"}
    conjugate = {"rate": ("log", "linear")}

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return u[:, None]

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return -gammaln(x + 1)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        return safe_log(args["rate"])[..., None], args["rate"]

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        tie, old = ties["rate"], args["rate"]
        total = jnp.maximum(tie.pool(stats.sums[..., 0]), 0)  # a prior may take more than all
        new = ratio(total, tie.pool(stats.count), old)
        return {"rate": tie.choose(new, old)}

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        return Statistics(-terms["linear"], terms["log"][..., None])
