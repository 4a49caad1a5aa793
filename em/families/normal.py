"""Normal and LogNormal: ``loc`` and ``scale``, each free, tied in any pattern, or fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ..machine.arrays import product
from ..machine.loops import while_loop
from ._family import Args, Family, Statistics, Ties, linked, own_scale, ratio

LOG_2PI = float(np.log(2 * np.pi))
_MAX_SWEEPS = 200


class Normal(Family):
    """``log f = -(x - loc)^2 / (2 scale^2) - log scale - log(2 pi) / 2``.

    Features are powers of the standardised data ``u = (x - centre) / spread``, so that data far
    from 0, or badly scaled columns, lose no digits. The estimates are the weighted mean and the
    root of the weighted mean square; a loc shared by cells of different scale is alternated with
    the scales (ECM: Meng & Rubin 1993, Biometrika 80:267) until it settles.
    """

    distributions: ClassVar[tuple[type[dist.Distribution], ...]] = (dist.Normal,)
    domains = {"loc": "real", "scale": "positive"}
    conjugate: ClassVar[Mapping[str, tuple[str, ...]]] = {"loc": ("linear", "square")}

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return standardisation(x, weights, ties["loc"], ties["scale"])

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return standard(x, reference)

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.stack([u, u * u], 1)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.broadcast_to(-LOG_2PI / 2 - jnp.log(reference["spread"])[:, None], x.shape)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        loc, scale = _standardised(args, reference)
        precision = 1 / scale**2
        eta = jnp.stack([loc * precision, -precision / 2], -1)
        return eta, loc**2 * precision / 2 + jnp.log(scale)

    def num_own(self, ties: Mapping[str, Ties], size: int) -> int | None:
        return 1 if ties["scale"].one else None

    def shared(self, eta: jax.Array, u: jax.Array) -> jax.Array:
        return product(eta[:, 0], u * u)

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        count, first, second = stats.count, stats.sums[..., 0], stats.sums[..., 1]
        tie_loc, tie_scale = ties["loc"], ties["scale"]
        old_loc, old_scale = _standardised(args, reference)

        def sweep(variance: jax.Array) -> tuple[jax.Array, jax.Array]:
            mean = ratio(tie_loc.pool(first / variance), tie_loc.pool(count / variance), old_loc)
            loc = tie_loc.choose(mean, old_loc)
            square = second - 2 * loc * first + loc**2 * count
            pooled = ratio(tie_scale.pool(square), tie_scale.pool(count), old_scale**2)
            return loc, tie_scale.choose(jnp.maximum(pooled, 0), old_scale**2)

        if nested(tie_loc, tie_scale):
            # Within one group of locs the scale is one number, which cancels from the mean.
            start = old_scale**2 if tie_scale.fixed.any() else jnp.ones_like(first)
            loc, variance = sweep(start)
        else:
            loc, variance = _alternate(sweep, old_scale**2)
        return {
            "loc": tie_loc.choose(reference["centre"] + reference["spread"] * loc, args["loc"]),
            "scale": tie_scale.choose(reference["spread"] * jnp.sqrt(variance), args["scale"]),
        }

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        linear, square = standardised_terms(terms, reference)
        variance = (args["scale"] / reference["spread"]) ** 2
        first = linear * variance
        return Statistics(-2 * square * variance, jnp.stack([first, jnp.zeros_like(first)], -1))

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return u

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        own = args["scale"] / reference["spread"]
        return own_scale(own, ties["scale"])


class LogNormal(Normal):
    """A Normal for ``log x``: ``log f = log N(log x | loc, scale) - log x``."""

    distributions = (dist.LogNormal,)

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return super().reference(jnp.log(x), weights, args, ties)

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return super().coordinates(jnp.log(x), reference)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return super().base(x, known, reference) - jnp.log(x)


def _standardised(args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
    centre, spread = reference["centre"], reference["spread"]
    return (args["loc"] - centre) / spread, args["scale"] / spread


def standardised_terms(
    terms: Mapping[str, jax.Array], reference: Args
) -> tuple[jax.Array, jax.Array]:
    """Coefficients of loc and its square in a log prior, for the loc of standardised data."""
    centre, spread = reference["centre"], reference["spread"]
    linear = terms["linear"] + 2 * terms["square"] * centre
    return linear * spread, terms["square"] * spread**2


def _alternate(sweep: Callable, variance: jax.Array) -> tuple[jax.Array, jax.Array]:
    def go_on(state: tuple) -> jax.Array:
        step, change, _, _ = state
        return (step < _MAX_SWEEPS) & (change > 8 * jnp.finfo(variance.dtype).eps)

    def again(state: tuple) -> tuple:
        step, _, old_loc, old_variance = state
        loc, new = sweep(old_variance)
        moved = jnp.abs(loc - old_loc) / (1 + jnp.abs(loc))
        change = jnp.maximum(moved.max(), jnp.abs(jnp.log(new / old_variance)).max())
        return step + 1, change, loc, new

    infinite = jnp.full((), jnp.inf, variance.dtype)
    first = (0, infinite, jnp.zeros_like(variance), variance)
    _, _, loc, variance = while_loop(go_on, again, first, variance)
    return loc, variance


def standard(x: jax.Array, reference: Args) -> jax.Array:
    """Data (c, ..., n) from the centre, in units of the spread."""
    return (x - reference["centre"][..., None]) / reference["spread"][..., None]


def nested(tie_loc: Ties, tie_scale: Ties) -> bool:
    """Whether every group of locs lies within one group of scales."""
    pairs = set(zip(tie_loc.groups.flat, tie_scale.groups.flat, strict=True))
    return len(pairs) == len(set(tie_loc.groups.flat))


def standardisation(x: jax.Array, weights: jax.Array, tie_loc: Ties, tie_scale: Ties) -> Args:
    """Centre and spread (c, ...) of data (c, ..., n), shared by the cells that share parameters."""
    total = weights.sum()
    mean = x @ weights / total
    # Twice, so that a wide offset leaves no rounding in the second pass.
    centre = mean + (x - mean[..., None]) @ weights / total
    centre = linked(tie_loc.groups, centre)
    square = (x - centre[..., None]) ** 2 @ weights / total
    spread = jnp.sqrt(linked(np.concatenate([tie_loc.groups, tie_scale.groups]), square))
    return {"centre": centre, "spread": jnp.where(spread > 0, spread, 1)}
