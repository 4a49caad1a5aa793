"""Asymmetric Laplace, by its asymmetry or by the quantile that its loc is."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from ._family import Args, Ties, own_scale, ratio
from ._solve import root_of_score
from .laplace import Laplace, ordered, quantile


class AsymmetricLaplace(Laplace):
    """``log f = -(loc - x)+ / l - (x - loc)+ / r - log(l + r)``.

    The mean deviations to the left and the right are ``l = scale asymmetry`` and ``r = scale /
    asymmetry``. With weighted sums of deviations L and R and N rows, ``l = sqrt(L) (sqrt(L) +
    sqrt(R)) / N``, likewise r, and what is left to minimise is ``sqrt(L) + sqrt(R)``, which is
    concave between two rows: the best loc is the best of all rows (Kotz, Kozubowski & Podgorski
    2001, The Laplace Distribution and Generalizations, section 3.5). Where an argument is shared or
    fixed they take turns, a conditional maximum each: the loc is then a weighted quantile.
    """

    distributions = (dist.AsymmetricLaplace,)
    domains = {"loc": "real", "scale": "positive", "asymmetry": "positive"}
    shape = "asymmetry"

    def sides(self, args: Args) -> tuple[jax.Array, jax.Array]:
        """The scales l and r to the left and the right, (k, c) each."""
        return args["scale"] * args["asymmetry"], args["scale"] / args["asymmetry"]

    def from_sides(self, left: jax.Array, right: jax.Array) -> dict[str, jax.Array]:
        """Scale and shape of the scales to the left and the right."""
        return {"scale": jnp.sqrt(left * right), "asymmetry": jnp.sqrt(left / right)}

    def limits(self, dtype: jnp.dtype) -> Mapping[str, float]:
        return {"asymmetry": float(jnp.finfo(dtype).eps) ** -0.5}

    def conditional_scale(
        self, args: Args, left: jax.Array, right: jax.Array, rows: jax.Array, tie: Ties
    ) -> jax.Array:
        """The scale given the others, from sums of deviations to the left and the right (k, c)."""
        away = left / args["asymmetry"] + right * args["asymmetry"]
        return ratio(tie.pool(away), tie.pool(rows), args["scale"])

    def conditional_shape(
        self, args: Args, left: jax.Array, right: jax.Array, rows: jax.Array, tie: Ties
    ) -> jax.Array:
        """The asymmetry given the others; the score falls in its logarithm."""
        rows = tie.pool(rows)
        left, right = tie.pool(left / args["scale"]), tie.pool(right / args["scale"])

        def score(a: jax.Array) -> jax.Array:
            return left / a - right * a - rows * (a - 1 / a) / (a + 1 / a)

        most = self.limits(rows.dtype)["asymmetry"]
        return root_of_score(score, args["asymmetry"], rows, 1 / most, most)

    def improve(
        self,
        u: jax.Array,
        weights: jax.Array,
        known: Args,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> dict[str, jax.Array]:
        centre, spread, order = reference["centre"], reference["spread"], reference["order"]
        old = dict(args, loc=(args["loc"] - centre) / spread, scale=args["scale"] / spread)
        new, alone = dict(old), all(tie.alone for tie in ties.values())
        rows = weights.sum(-1) * jnp.ones_like(old["loc"])
        if alone:
            new["loc"] = jnp.where(rows > 0, _best_row(u, weights, order), old["loc"])
        elif not ties["loc"].fixed.all():
            left, right = self.sides(old)
            pull = ties["loc"].pool(weights * (1 / left + 1 / right)[..., None])
            total = pull.sum(-1)
            share = ratio(ties["loc"].pool(rows / right), total, jnp.zeros_like(total))
            loc = jnp.where(total > 0, quantile(u, pull, order, share), old["loc"])
            new["loc"] = ties["loc"].choose(loc, old["loc"])
        away = u - new["loc"][..., None]
        left = (weights * jnp.maximum(-away, 0)).sum(-1)
        right = (weights * jnp.maximum(away, 0)).sum(-1)
        if alone:
            new |= self._both(old, left, right, rows)
        else:
            for name, update in (
                ("scale", self.conditional_scale),
                (self.shape, self.conditional_shape),
            ):
                tie = ties[name]
                new[name] = tie.choose(update(new, left, right, rows, tie), new[name])
        return {
            "loc": ties["loc"].choose(centre + spread * new["loc"], args["loc"]),
            "scale": ties["scale"].choose(spread * new["scale"], args["scale"]),
            self.shape: new[self.shape],
        }

    def _both(
        self, old: Args, left: jax.Array, right: jax.Array, rows: jax.Array
    ) -> dict[str, jax.Array]:
        """Scale and shape together. A side without rows has the scale 0: it is kept above that."""
        eps = jnp.finfo(left.dtype).eps
        left, right = jnp.maximum(left, eps**2 * right), jnp.maximum(right, eps**2 * left)
        # Where all rows are one point, nothing is left of either: a collapse.
        tiny = jnp.finfo(left.dtype).tiny ** 0.5
        a, b = jnp.sqrt(jnp.maximum(left, tiny)), jnp.sqrt(jnp.maximum(right, tiny))
        some = jnp.where(rows > 0, rows, 1)
        found = self.from_sides(a * (a + b) / some, b * (a + b) / some)
        return {n: jnp.where(rows > 0, v, old[n]) for n, v in found.items()}

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        left, right = self.sides(args)
        return own_scale((left + right) / 2 / reference["spread"], ties["scale"])


class AsymmetricLaplaceQuantile(AsymmetricLaplace):
    """The same with ``l = scale / (1 - quantile)`` and ``r = scale / quantile``.

    The loc is that quantile of the distribution; held fixed it is quantile regression's (Koenker &
    Machado 1999, Journal of the American Statistical Association 94:1296).
    """

    distributions = (dist.AsymmetricLaplaceQuantile,)
    domains = {"loc": "real", "scale": "positive", "quantile": "unit_interval"}
    shape = "quantile"

    def sides(self, args: Args) -> tuple[jax.Array, jax.Array]:
        return args["scale"] / (1 - args["quantile"]), args["scale"] / args["quantile"]

    def from_sides(self, left: jax.Array, right: jax.Array) -> dict[str, jax.Array]:
        return {"scale": left * right / (left + right), "quantile": left / (left + right)}

    def limits(self, dtype: jnp.dtype) -> Mapping[str, float]:
        return {}

    def conditional_scale(
        self, args: Args, left: jax.Array, right: jax.Array, rows: jax.Array, tie: Ties
    ) -> jax.Array:
        away = (1 - args["quantile"]) * left + args["quantile"] * right
        return ratio(tie.pool(away), tie.pool(rows), args["scale"])

    def conditional_shape(
        self, args: Args, left: jax.Array, right: jax.Array, rows: jax.Array, tie: Ties
    ) -> jax.Array:
        """The root of ``D q^2 + (2 - D) q - 1``, D the mean of what the left has more."""
        more = ratio(tie.pool((left - right) / args["scale"]), tie.pool(rows), jnp.zeros_like(rows))
        found = 2 / (2 - more + jnp.hypot(2.0, more))
        eps = jnp.finfo(found.dtype).eps
        return jnp.where(tie.pool(rows) > 0, jnp.clip(found, eps, 1 - eps), args["quantile"])


def _best_row(u: jax.Array, weights: jax.Array, order: jax.Array) -> jax.Array:
    """(k, c) the row at which ``sqrt(L) + sqrt(R)`` is least, rows (c, n) in their order."""
    weights = ordered(weights, u, order)
    sorted_u = jnp.broadcast_to(jnp.take_along_axis(u, order, -1), weights.shape)
    gaps = jnp.diff(sorted_u, axis=-1)
    before = jnp.cumsum(weights, -1)[..., :-1] * gaps
    after = jnp.cumsum(weights[..., ::-1], -1)[..., ::-1][..., 1:] * gaps
    none = jnp.zeros_like(before[..., :1])
    # Sums of what is positive, so that no digits cancel.
    left = jnp.concatenate([none, jnp.cumsum(before, -1)], -1)
    right = jnp.concatenate([jnp.cumsum(after[..., ::-1], -1)[..., ::-1], none], -1)
    cost = jnp.where(weights > 0, jnp.sqrt(left) + jnp.sqrt(right), jnp.inf)
    return jnp.take_along_axis(sorted_u, cost.argmin(-1)[..., None], -1)[..., 0]
