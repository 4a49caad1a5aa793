"""Multivariate normal by covariance, precision or Cholesky factor: full, tied or fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ..machine.arrays import product
from ._family import Args, Family, Statistics, Ties, own_scale, ratio
from ._matrices import entries_and_products, inverse, inverse_by_factor
from .normal import LOG_2PI, nested, standard, standardisation, standardised_terms

_MATRICES = ("covariance_matrix", "precision_matrix", "scale_tril")


class MultivariateNormal(Family):
    """``log f = -(x - loc)' S^-1 (x - loc) / 2 - log det S / 2 - d log(2 pi) / 2``.

    The features of the standardised data u are u and the distinct products ``u_i u_j``: a density
    is one row of a matrix product, and so are the statistics. The estimates are the weighted
    mean and the weighted scatter around it, pooled where a matrix is shared. The covariance of a
    LowRankMultivariateNormal (factor analysis) is a function of its factor and diagonal.
    """

    distributions: ClassVar[tuple[type[dist.Distribution], ...]] = (
        dist.MultivariateNormal,
        dist.LowRankMultivariateNormal,
    )
    domains = {
        "loc": "real",
        "covariance_matrix": "positive_definite",
        "precision_matrix": "positive_definite",
        "scale_tril": "lower_cholesky",
    }
    rank = {"loc": 1, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2}
    conjugate: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "loc": ("linear", "square"),
        "covariance_matrix": ("log_det", "inverse"),
    }

    def arguments(self, fn: dist.Distribution) -> dict:
        given = next((m for m in _MATRICES if m in vars(fn)), "covariance_matrix")
        return {"loc": fn.loc, given: getattr(fn, given)}

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return standardisation(x, weights, ties["loc"], ties[_matrix(args)])

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return standard(x, reference)

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return entries_and_products(u)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        constant = -x.shape[1] * LOG_2PI / 2 - jnp.log(reference["spread"]).sum(-1)
        return jnp.broadcast_to(constant[:, None], (x.shape[0], x.shape[-1]))

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        loc, tril = standardised(args, reference)
        precision, log_det = inverse_by_factor(tril)
        return natural_parameters(loc, precision, log_det / 2)

    def num_own(self, ties: Mapping[str, Ties], size: int) -> int | None:
        matrix = [tie for name, tie in ties.items() if name != "loc"]
        return size if all(tie.one for tie in matrix) else None

    def shared(self, eta: jax.Array, u: jax.Array) -> jax.Array:
        i, j = np.triu_indices(u.shape[1])
        square = jnp.zeros((len(eta), u.shape[1], u.shape[1]), eta.dtype).at[:, i, j].set(eta)
        return (product(square, u) * u).sum((0, 1))

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        name = _matrix(args)
        tie_loc, tie_matrix = ties["loc"], ties[name]
        old_loc, old_tril = standardised(args, reference)
        d = old_loc.shape[-1]
        count, first = stats.count, stats.sums[..., :d]
        old = product(old_tril, old_tril.mT)

        def estimated(loc: jax.Array) -> jax.Array:
            square = scatter(stats, loc)
            pooled = ratio(tie_matrix.pool(square), tie_matrix.pool(count)[..., None, None], old)
            return tie_matrix.choose(pooled, old)

        if nested(tie_loc, tie_matrix):
            mean = ratio(tie_loc.pool(first), tie_loc.pool(count)[..., None], old_loc)
            loc = tie_loc.choose(mean, old_loc)
            covariance = estimated(loc)
        else:
            loc, covariance = old_loc, old
            for _ in range(2):  # two conditional maximisations a step (ECM)
                mean = shared_loc(count, first, inverse(covariance)[0], tie_loc)
                loc = tie_loc.choose(mean, old_loc)
                covariance = estimated(loc)
        spread = reference["spread"]
        covariance = covariance * spread[..., :, None] * spread[..., None, :]
        return {
            "loc": tie_loc.choose(reference["centre"] + spread * loc, args["loc"]),
            name: tie_matrix.choose(_expressed(name, covariance), args[name]),
        }

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        """An inverse Wishart: rows around loc, ``-2 log_det`` of them with the scatter it has."""
        loc, spread = (args["loc"] - reference["centre"]) / reference["spread"], reference["spread"]
        count = -2 * terms["log_det"][..., 0, 0]
        matrix = -2 * terms["inverse"] / spread[..., :, None] / spread[..., None, :]
        i, j = np.triu_indices(loc.shape[-1])
        second = matrix[..., i, j] + count[..., None] * loc[..., i] * loc[..., j]
        return Statistics(count, jnp.concatenate([count[..., None] * loc, second], -1))

    def conditional(
        self,
        name: str,
        terms: Mapping[str, jax.Array] | None,
        stats: Statistics,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> Args:
        """As elsewhere; a loc's normal prior adds to its precision, entry by entry."""
        if name != "loc" or not terms:
            return super().conditional(name, terms, stats, args, ties, reference)
        linear, square = standardised_terms(terms, reference)
        tie, (old, tril) = ties["loc"], standardised(args, reference)
        precision, _ = inverse_by_factor(tril)
        prior = -2 * square[..., None] * jnp.eye(old.shape[-1], dtype=old.dtype)
        first = stats.sums[..., : old.shape[-1]]
        loc = shared_loc(stats.count, first, precision, tie, linear, prior)
        told = (tie.pool(stats.count) > 0)[..., None] | (tie.pool(square) < 0)
        loc = reference["centre"] + reference["spread"] * jnp.where(told, loc, old)
        return {**args, "loc": tie.choose(loc, args["loc"])}

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return u.reshape(-1, u.shape[-1])

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        _, tril = standardised(args, reference)
        own = jnp.diagonal(tril, axis1=-2, axis2=-1).min(-1)
        own = jnp.where(jnp.isfinite(own), own, 0)
        return own_scale(own, ties[_matrix(args)])


def _matrix(args: Args) -> str:
    return next(m for m in _MATRICES if m in args)


def standardised(args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
    """``loc`` and Cholesky factor of the standardised data."""
    spread = reference["spread"]
    name = _matrix(args)
    value = args[name]
    if name == "scale_tril":
        tril = value / spread[..., :, None]
    else:
        if name == "precision_matrix":
            value = inverse(value)[0]
        tril = jnp.linalg.cholesky(value / spread[..., :, None] / spread[..., None, :])
    return (args["loc"] - reference["centre"]) / spread, tril


def _expressed(name: str, covariance: jax.Array) -> jax.Array:
    if name == "covariance_matrix":
        return covariance
    if name == "scale_tril":
        return jnp.linalg.cholesky(covariance)
    return inverse(covariance)[0]


def natural_parameters(
    loc: jax.Array, precision: jax.Array, half_log_det: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """eta and A of normals by loc (..., d), precision (..., d, d) and ``log det Sigma / 2``."""
    linear = jnp.einsum("...ij,...j->...i", precision, loc, precision="highest")
    i, j = np.triu_indices(loc.shape[-1])
    quadratic = precision[..., i, j] * np.where(i == j, -0.5, -1.0).astype(loc.dtype)
    return jnp.concatenate([linear, quadratic], -1), (linear * loc).sum(-1) / 2 + half_log_det


def scatter(stats: Statistics, loc: jax.Array) -> jax.Array:
    """``sum_n r_n (u_n - loc) (u_n - loc)'`` (k, c, d, d) from the statistics."""
    count, d = stats.count, loc.shape[-1]
    first = stats.sums[..., :d]
    i, j = np.triu_indices(d)
    second = jnp.zeros((*count.shape, d, d), count.dtype)
    second = second.at[..., i, j].set(stats.sums[..., d:])
    second = second.at[..., j, i].set(stats.sums[..., d:])
    cross = loc[..., :, None] * first[..., None, :]
    outer = loc[..., :, None] * loc[..., None, :] * count[..., None, None]
    return second - cross - cross.mT + outer


def shared_loc(
    count: jax.Array,
    first: jax.Array,
    precision: jax.Array,
    tie: Ties,
    linear: jax.Array | float = 0.0,
    prior: jax.Array | float = 0.0,
) -> jax.Array:
    """A loc shared by components of different covariance: the precision-weighted mean.

    ``prior`` (k, c, d, d) is the precision of a normal prior, ``linear`` that times its mean.
    """
    weight = tie.pool(precision * count[..., None, None] + prior)
    total = tie.pool(jnp.einsum("...ij,...j->...i", precision, first) + linear)
    return jnp.linalg.solve(weight, total[..., None])[..., 0]
