"""Laplace: double exponential around ``loc`` with mean absolute deviation ``scale``."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ._family import Args, Ties, own_scale, ratio
from ._rows import RowFamily, moments
from .normal import standard


class Laplace(RowFamily):
    """``log f = -|x - loc| / scale - log(2 scale)``: weighted median, mean absolute deviation.

    The likelihood has a corner at every row, so that no smooth method finds its maximum. A loc
    shared by components of different scale is the median by weights over scales, alternated with
    the scales from step to step (a conditional maximisation each).
    """

    distributions = (dist.Laplace,)
    domains = {"loc": "real", "scale": "positive"}
    smooth = False

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Locs that are shared among components at most, not among cells."""
        loc = ties["loc"]
        cell = np.broadcast_to(np.arange(loc.groups.shape[1]), loc.groups.shape)
        return loc.within(Ties(cell, loc.fixed))

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return {**moments(x, weights, ties), "order": jnp.argsort(x, -1)}

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return standard(x, reference)

    def improve(
        self,
        u: jax.Array,
        weights: jax.Array,
        known: Args,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> dict[str, jax.Array]:
        centre, spread = reference["centre"], reference["spread"]
        tie_loc, tie_scale = ties["loc"], ties["scale"]
        old_loc, old_scale = (args["loc"] - centre) / spread, args["scale"] / spread
        loc = old_loc
        if not tie_loc.fixed.all():
            pull = tie_loc.pool(weights / old_scale[..., None])
            median = quantile(u, pull, reference["order"], 0.5)
            loc = tie_loc.choose(jnp.where(pull.sum(-1) > 0, median, old_loc), old_loc)
        away = (weights * jnp.abs(u - loc[..., None])).sum(-1)
        count = weights.sum(-1) * jnp.ones_like(away)
        scale = ratio(tie_scale.pool(away), tie_scale.pool(count), old_scale)
        return {
            "loc": tie_loc.choose(centre + spread * loc, args["loc"]),
            "scale": tie_scale.choose(spread * scale, args["scale"]),
        }

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return u

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        return own_scale(args["scale"] / reference["spread"], ties["scale"])


def quantile(
    u: jax.Array, weights: jax.Array, order: jax.Array, share: jax.Array | float
) -> jax.Array:
    """Weighted quantiles (k, c) of the rows (c, n), given their order: the first row at ``share``.

    ``share`` (k, c) is the part of the weight up to that row.
    """
    below = jnp.cumsum(ordered(weights, u, order), -1)
    bound = below[..., -1:] * jnp.asarray(share, u.dtype)[..., None]
    place = (below < bound).sum(-1).clip(0, u.shape[-1] - 1)
    sorted_u = jnp.broadcast_to(jnp.take_along_axis(u, order, -1), below.shape)
    return jnp.take_along_axis(sorted_u, place[..., None], -1)[..., 0]


def ordered(weights: jax.Array, u: jax.Array, order: jax.Array) -> jax.Array:
    """The weights (k, c, n) of rows (c, n) in their order; c of the weights may be 1."""
    shape = (weights.shape[0], *u.shape)
    weights, order = jnp.broadcast_to(weights, shape), jnp.broadcast_to(order, shape)
    return jnp.take_along_axis(weights, order, -1)
