"""Weibull and Gumbel: the same likelihood equation, for log x and for -x."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from ._family import Args, Ties, own_scale, ratio
from ._rows import RowFamily, moments
from ._solve import root
from .normal import standard


class Weibull(RowFamily):
    """``log f = log k + k (log x - l) - e^(k (log x - l)) - log x``, l = log ``scale``.

    Given the ``concentration`` k, ``scale^k`` is the mean of ``x^k``; k then solves ``1 / k + mean
    log x = mean(x^k log x) / mean(x^k)`` (Johnson, Kotz & Balakrishnan 1994, Continuous Univariate
    Distributions 1, section 21.5), whose two sides cross once.
    """

    distributions = (dist.Weibull,)
    domains = {"scale": "positive", "concentration": "positive"}

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Scales nested in concentrations, whose scales are all free or all fixed."""
        return ties["scale"].wholly_within(ties["concentration"])

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return moments(jnp.log(x), weights, ties)

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return standard(jnp.log(x), reference)

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
        level = (jnp.log(args["scale"]) - centre) / spread
        shape = args["concentration"] * spread
        shape, level = solve(u, weights, shape, level, ties["concentration"], ties["scale"])
        scale = jnp.exp(centre + spread * level)
        return {
            "scale": ties["scale"].choose(scale, args["scale"]),
            "concentration": ties["concentration"].choose(shape / spread, args["concentration"]),
        }

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        own = 1 / (args["concentration"] * reference["spread"])
        return own_scale(own, ties["concentration"])


class Gumbel(RowFamily):
    """``log f = -v - e^-v - log scale``, ``v = (x - loc) / scale``: ``e^-x`` is Weibull."""

    distributions = (dist.Gumbel,)
    domains = {"loc": "real", "scale": "positive"}

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Locs nested in scales, whose locs are all free or all fixed."""
        return ties["loc"].wholly_within(ties["scale"])

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return moments(x, weights, ties)

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return -standard(x, reference)

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
        level = (centre - args["loc"]) / spread
        shape, level = solve(u, weights, spread / args["scale"], level, ties["scale"], ties["loc"])
        return {
            "loc": ties["loc"].choose(centre - spread * level, args["loc"]),
            "scale": ties["scale"].choose(spread / shape, args["scale"]),
        }

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return -u

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        return own_scale(args["scale"] / reference["spread"], ties["scale"])


def solve(
    u: jax.Array, weights: jax.Array, shape: jax.Array, level: jax.Array, tie: Ties, tie_level: Ties
) -> tuple[jax.Array, jax.Array]:
    """``k`` and ``l`` of highest ``sum w (log k + k (u - l) - e^(k (u - l)))``, started at k."""
    count = weights.sum(-1) * jnp.ones_like(shape)
    # Fixed levels have nothing in common but that: each keeps its own sums.
    tie_level = Ties(tie_level.sharing, tie_level.fixed)
    log_weights = jnp.log(weights)
    first = (weights * u).sum(-1)

    def powers(k: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """``log c`` and the sums of w e^(k u) / c, the same times u and u^2, of each level."""
        exponent = log_weights + k[..., None] * u
        log_c = tie_level.largest(exponent.max(-1))
        log_c = jnp.where(jnp.isfinite(log_c), log_c, 0)
        e = jnp.exp(exponent - log_c[..., None])
        zeroth, one, two = (tie_level.pool(s.sum(-1)) for s in (e, e * u, e * u * u))
        return log_c, zeroth, one, two

    def equation(k: jax.Array) -> tuple[jax.Array, jax.Array]:
        log_c, zeroth, one, two = powers(k)
        zero = jnp.zeros_like(k)
        mean = ratio(one, zeroth, zero)
        value = first - count * mean
        slope = count * (mean**2 - ratio(two, zeroth, zero))
        if tie_level.fixed.any():
            e = jnp.exp(log_c - k * level)
            held = first - level * count - e * (one - level * zeroth)
            bend = -e * (two - 2 * level * one + level**2 * zeroth)
            value = jnp.where(tie_level.fixed, held, value)
            slope = jnp.where(tie_level.fixed, bend, slope)
        value, slope = tie.pool(value + count / k), tie.pool(slope - count / k**2)
        rows = tie.pool(count)
        return ratio(value, rows, 1 - k / shape), ratio(slope, rows, -1 / shape)

    if not tie.fixed.all():
        most = float(jnp.finfo(u.dtype).eps) ** -0.5
        shape = tie.choose(root(equation, shape, 1e-6, most), shape)
    log_c, zeroth, *_ = powers(shape)
    total = tie_level.pool(count)
    log_mean = log_c + jnp.log(ratio(zeroth, total, jnp.ones_like(total)))
    new = jnp.where(total > 0, log_mean / shape, level)
    return shape, tie_level.choose(new, level)
