"""Uniform on [low, high]."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from ._family import Args, Ties, own_scale
from ._rows import RowFamily, moments


class Uniform(RowFamily):
    """``log f = -log(high - low)`` inside, minus infinity outside: smallest and largest row.

    A bound is the extreme of all rows with any responsibility, however small: outside a component
    cannot take part in a row. So bounds hardly move in soft EM; they are what the start (or hard
    EM) makes of them, and most models hold them fixed.
    """

    distributions = (dist.Uniform,)
    domains = {"low": "real", "high": "real"}
    smooth = False

    def limits(self, dtype: jnp.dtype) -> Mapping[str, float]:
        return {"low": -jnp.inf, "high": -jnp.inf}

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return moments(x, weights, ties)

    def improve(
        self,
        u: jax.Array,
        weights: jax.Array,
        known: Args,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> dict[str, jax.Array]:
        inside = weights > 0
        new = {}
        for name, sign in (("low", -1), ("high", 1)):
            tie = ties[name]
            extreme = tie.largest(jnp.where(inside, sign * u, -jnp.inf).max(-1))
            new[name] = tie.choose(
                jnp.where(jnp.isfinite(extreme), sign * extreme, args[name]), args[name]
            )
        return new

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        own = (args["high"] - args["low"]) / reference["spread"]
        low, high = ties["low"], ties["high"]
        return own_scale(own, high if low.across_components.all() else low)
