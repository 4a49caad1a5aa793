"""Exponential: waiting times with rate ``rate`` (mean ``1 / rate``)."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from numpyro.distributions import Exponential as NumPyroExponential

from ._family import Args, Family, Statistics, Ties, ratio, safe_log


class Exponential(Family):
    """``log f = log(rate) - rate x``; the estimate is one over the weighted mean."""

    distributions = (NumPyroExponential,)
    domains = {"rate": "positive"}
    conjugate = {"rate": ("log", "linear")}

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        mean = x @ weights / weights.sum()
        return {"mean": jnp.where(mean > 0, mean, 1)}

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return u[:, None]

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.zeros_like(x)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        return -args["rate"][..., None], -safe_log(args["rate"])

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        tie, old = ties["rate"], args["rate"]
        total, count = tie.pool(stats.sums[..., 0]), tie.pool(stats.count)
        # All times 0: the likelihood is unbounded; a huge rate lets the loop call it collapsed.
        huge = 1 / jnp.finfo(old.dtype).eps ** 2
        new = jnp.where(count > 0, ratio(count, total, huge * jnp.ones_like(old)), old)
        new = jnp.where(count < 0, 0, new)  # a prior may take more than all rows
        return {"rate": tie.choose(new, old)}

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        return Statistics(terms["log"], -terms["linear"][..., None])

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        own = 1 / (args["rate"] * reference["mean"])
        return jnp.where(ties["rate"].across_components, jnp.inf, own).min(-1)
