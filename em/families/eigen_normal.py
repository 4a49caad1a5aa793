"""Normals by volume, shape and orientation: each free, tied or fixed (mclust's EII to VVV)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ... import distributions
from ..machine.arrays import product
from ..machine.loops import while_loop
from ._axes import ordered_like, plane_rotations, principal_axes, rotations
from ._family import Args, Family, Statistics, Ties, ratio
from .multivariate_normal import MultivariateNormal, natural_parameters, scatter, shared_loc
from .normal import standardisation

_MAX_SWEEPS = 50
_SETTLED = 1e-10


class EigenNormal(MultivariateNormal):
    """``log f = log N(x | loc, volume D diag(exp(log_shape)) D')`` with D the orientation.

    Statistics and density are those of the multivariate normal. What the M-step maximises is
    ``-sum_k [n_k d log volume_k + tr(D_k' W_k D_k diag(exp(-log_shape_k))) / volume_k] / 2``
    with W_k the scatter around loc: each of the three has its maximum in closed form, given the
    others (Celeux & Govaert 1995, Pattern Recognition 28:781), save an orientation that is shared
    by different shapes, which is turned plane by plane (see `plane_rotations`). Where the three
    do not depend on each other's values one round is the answer (EII, EEI, EVI, VVI, EEE, EEV,
    EVV, VVV); for VEI, VEE, VEV, EVE and VVE rounds are repeated until nothing is gained.
    """

    distributions: ClassVar[tuple[type[dist.Distribution], ...]] = (distributions.EigenNormal,)
    domains = {
        "loc": "real",
        "volume": "positive",
        "log_shape": "zero_sum",
        "orientation": "rotation",
    }
    rank = {"loc": 1, "log_shape": 1, "orientation": 2}
    conjugate: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def arguments(self, fn: dist.Distribution) -> dict:
        return Family.arguments(self, fn)

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return standardisation(x, weights, ties["loc"], ties["volume"])

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        loc, spread = (args["loc"] - reference["centre"]) / reference["spread"], reference["spread"]
        half = _half_precision(args, reference)
        precision = product(half, half.mT)
        log_det = loc.shape[-1] * jnp.log(args["volume"]) + args["log_shape"].sum(-1)
        return natural_parameters(loc, precision, log_det / 2 - jnp.log(spread).sum(-1))

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        # The features are standardised by column, but axes are those of the data as they are:
        # one unit serves all columns.
        unit = reference["spread"].max()
        relative = reference["spread"] / unit
        old = Parts(
            (args["loc"] - reference["centre"]) / reference["spread"],
            args["volume"] / unit**2,
            args["log_shape"],
            args["orientation"],
        )
        new = _Estimator(stats, relative, ties).climb(old)
        return {
            "loc": ties["loc"].choose(
                reference["centre"] + reference["spread"] * new.loc, args["loc"]
            ),
            "volume": ties["volume"].choose(unit**2 * new.volume, args["volume"]),
            "log_shape": new.log_shape,
            "orientation": new.orientation,
        }

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        # Each feature's scale given the others. A shared volume bounds the likelihood, yet a free
        # shape can still run to infinity, where there is no estimate either.
        shared = ties["volume"].across_components & ties["log_shape"].across_components
        own = 1 / jnp.sqrt((_half_precision(args, reference) ** 2).sum(-1).max(-1))
        own = jnp.where(jnp.isfinite(own), own, 0)
        return jnp.where(shared, jnp.inf, own).min(-1)


def _half_precision(args: Args, reference: Args) -> jax.Array:
    """(k, c, d, d) R with R R' the inverse covariance of the standardised data."""
    scales = jnp.sqrt(args["volume"])[..., None] * jnp.exp(args["log_shape"] / 2)
    return reference["spread"][..., :, None] * args["orientation"] / scales[..., None, :]


class Parts(NamedTuple):
    """loc (k, c, d), volume (k, c), log_shape (k, c, d) and orientation (k, c, d, d)."""

    loc: jax.Array
    volume: jax.Array
    log_shape: jax.Array
    orientation: jax.Array


class _Estimator:
    """The M-step for one pattern of ties; what needs no iteration is decided by the pattern."""

    def __init__(self, stats: Statistics, relative: jax.Array, ties: Mapping[str, Ties]) -> None:
        self.stats, self.relative, self.ties = stats, relative, ties
        loc, volume = ties["loc"], ties["volume"]
        shape, axes = ties["log_shape"], ties["orientation"]
        self.d = relative.shape[-1]
        # Of one shape for each set of axes: principal axes of one pooled matrix.
        self.principal = _alike(axes, shape)
        # A covariance that is the same for all that share a loc cancels from it.
        self.plain_loc = all(_alike(loc, t) for t in (volume, shape, axes))
        self.closed = (
            self.plain_loc and self.principal and _alike(axes, volume) and _alike(shape, volume)
        )
        self.reorderable = not (shape.fixed.any() or axes.fixed.any())
        self.linked = Ties(_linked(shape, axes), np.zeros(shape.groups.shape, bool))
        self.noise = 0.0 if axes.fixed.all() else self.d * jnp.finfo(relative.dtype).eps

    def climb(self, old: Parts) -> Parts:
        """The maximum over all parts from ``old``, or as near to it as ``_MAX_SWEEPS`` bring."""
        first = self._located(old) if self.plain_loc else old
        if self.closed:
            return self._canonical(self._sweep(first))
        if not self.principal:
            first = self._better_start(first)

        def go_on(carry: tuple) -> jax.Array:
            step, gain, value, _ = carry
            rounding = 4 * jnp.finfo(value.dtype).eps * jnp.abs(value)
            return (step < _MAX_SWEEPS) & (gain > _SETTLED + rounding)

        def again(carry: tuple) -> tuple:
            step, _, value, parts = carry
            new = self._sweep(parts)
            reached = self._value(new)
            return step + 1, reached - value, reached, new

        start = self._sweep(first)
        infinite = jnp.full((), jnp.inf, self.relative.dtype)
        carry = (0, infinite, self._value(start), start)
        return self._canonical(while_loop(go_on, again, carry, carry[2])[3])

    # ---- one round: each part given the others -----------------------------------------------

    def _sweep(self, parts: Parts) -> Parts:
        if not self.plain_loc:
            parts = self._located(parts)
        matrix = self._scatter(parts.loc)
        return self._sized(self._turned(parts, matrix), matrix)

    def _scatter(self, loc: jax.Array) -> jax.Array:
        outer = self.relative[..., :, None] * self.relative[..., None, :]
        return scatter(self.stats, loc) * outer

    def _located(self, parts: Parts) -> Parts:
        tie, count = self.ties["loc"], self.stats.count
        first = self.stats.sums[..., : self.d]
        if self.plain_loc:
            mean = ratio(tie.pool(first), tie.pool(count)[..., None], parts.loc)
        else:
            half = self.relative[..., :, None] * parts.orientation * self._inverse(parts, 0.5)
            mean = shared_loc(count, first, product(half, half.mT), tie)
            mean = jnp.where(tie.pool(count)[..., None] > 0, mean, parts.loc)
        return parts._replace(loc=tie.choose(mean, parts.loc))

    def _inverse(self, parts: Parts, power: float = 1.0) -> jax.Array:
        """(k, c, 1, d) the inverse variances along the axes."""
        inverse = jnp.exp(-power * parts.log_shape) / parts.volume[..., None] ** power
        return inverse[..., None, :]

    def _turned(self, parts: Parts, matrix: jax.Array) -> Parts:
        tie = self.ties["orientation"]
        if tie.fixed.all():
            return parts
        if self.principal:
            pooled = tie.pool(matrix / parts.volume[..., None, None])
            new = ordered_like(principal_axes(pooled), parts.log_shape)
        else:
            inverse = self._inverse(parts)[..., 0, :]
            new = plane_rotations(parts.orientation, matrix, inverse, tie)
        return parts._replace(orientation=self._kept(tie, new, parts.orientation))

    def _sized(self, parts: Parts, matrix: jax.Array) -> Parts:
        """Shape, then volume."""
        tie_shape, tie_volume = self.ties["log_shape"], self.ties["volume"]
        along = self._along(parts, matrix)
        pooled = jnp.maximum(tie_shape.pool(along / parts.volume[..., None]), 0)
        # Below this a variance along free axes is the rounding of the largest: it counts as 0.
        pooled = jnp.where(pooled > self.noise * pooled.max(-1, keepdims=True), pooled, 0)
        log_shape = jnp.log(pooled) - jnp.log(pooled).mean(-1, keepdims=True)
        log_shape = self._kept(tie_shape, log_shape, parts.log_shape)
        total = jnp.maximum(tie_volume.pool((along * jnp.exp(-log_shape)).sum(-1)), 0)
        volume = ratio(total, self.d * tie_volume.pool(self.stats.count), parts.volume)
        return parts._replace(log_shape=log_shape, volume=tie_volume.choose(volume, parts.volume))

    def _along(self, parts: Parts, matrix: jax.Array) -> jax.Array:
        """(k, c, d) the scatter along the axes, ``diag(D' W D)``.

        Where components share all of it their own may be negative: the total alone is right.
        """
        turned = product(matrix, parts.orientation)
        return (parts.orientation * turned).sum(-2)

    def _kept(self, tie: Ties, new: jax.Array, old: jax.Array) -> jax.Array:
        """``new``, but for what is fixed and what no row speaks of."""
        seen = tie.pool(self.stats.count) > 0
        return tie.choose(
            jnp.where(seen.reshape(seen.shape + (1,) * (new.ndim - 2)), new, old), old
        )

    # ---- what is climbed, and from where -----------------------------------------------------

    def _value(self, parts: Parts) -> jax.Array:
        """Twice the expected log-likelihood, up to a constant."""
        along = self._along(parts, self._scatter(parts.loc))
        squares = (along * self._inverse(parts)[..., 0, :]).sum(-1)
        log_det = self.d * jnp.log(parts.volume) + parts.log_shape.sum(-1)
        return -(self.stats.count * log_det + squares).sum()

    def _better_start(self, parts: Parts) -> Parts:
        """From the axes as they are, or from those of the pooled scatter, whichever is higher."""
        tie, matrix = self.ties["orientation"], self._scatter(parts.loc)
        axes = principal_axes(tie.pool(matrix / parts.volume[..., None, None]))
        pooled = parts._replace(orientation=self._kept(tie, axes, parts.orientation))
        here, there = self._sized(parts, matrix), self._sized(pooled, matrix)
        higher = self._value(there) > self._value(here)
        return jax.tree.map(lambda a, b: jnp.where(higher, a, b), there, here)

    def _canonical(self, parts: Parts) -> Parts:
        """One of the equal forms: shapes in decreasing order, axes a rotation near the identity.

        Cells whose shape or axes are shared are ordered by their sum.
        """
        axes, log_shape = parts.orientation, parts.log_shape
        if self.reorderable:
            order = jnp.argsort(-self.linked.pool(log_shape), -1)
            log_shape = jnp.take_along_axis(log_shape, order, -1)
            axes = jnp.take_along_axis(axes, order[..., None, :], -1)
        axes = self.ties["orientation"].choose(rotations(axes), parts.orientation)
        return parts._replace(log_shape=log_shape, orientation=axes)


def _alike(inner: Ties, outer: Ties) -> bool:
    """Whether the free cells that share a value of ``inner`` also share one of ``outer``."""
    for group in np.unique(inner.groups[~inner.fixed]):
        cells = (inner.groups == group) & ~inner.fixed
        shared = not outer.fixed[cells].any() and len(np.unique(outer.groups[cells])) == 1
        if cells.sum() > 1 and not shared:
            return False
    return True


def _linked(*ties: Ties) -> np.ndarray:
    """(k, c) groups of the cells that any of the ties, or a chain of them, joins."""
    label = np.arange(ties[0].groups.size).reshape(ties[0].groups.shape)
    for _ in range(label.size):
        for tie in ties:
            for group in np.unique(tie.groups):
                cells = tie.groups == group
                label[cells] = label[cells].min()
    return label
