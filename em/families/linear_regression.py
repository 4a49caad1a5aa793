"""Normal with a mean linear in covariates: weighted least squares on additive statistics."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from ._family import Args, Family, Statistics, Ties, own_scale, ratio
from .normal import LOG_2PI


class LinearRegression(Family):
    """``log f = -(y - x'b)^2 / (2 scale^2) - log scale - log(2 pi) / 2``.

    A row is (y - offset, x_1, ..., x_p). Its coordinates are the residual of the pooled least
    squares fit in units of its root mean square, and the covariates made orthonormal, so that
    the normal equations lose no digits to badly scaled or nearly collinear columns; columns that
    are exactly collinear move no coefficient. The features are all products of two coordinates.
    Coefficients and scale may each be free, tied or fixed, coefficient by coefficient (a loc tied
    across components of different scale alternates with the scales: ECM, Meng & Rubin 1993,
    Biometrika 80:267).
    """

    distributions = ()
    domains = {"coefficients": "real", "scale": "positive"}

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        y, design = x[0, 0], x[0, 1:]
        size = jnp.sqrt((design**2) @ weights / weights.sum())
        size = jnp.where(size > 0, size, 1)
        # Singular values, by QR: the roots of a Gram matrix's eigenvalues keep half as many digits.
        scaled = (design / size[:, None] * jnp.sqrt(weights / weights.sum())).T
        scaled = jnp.pad(scaled, ((0, max(0, len(size) - scaled.shape[0])), (0, 0)))
        _, root, vectors = jnp.linalg.svd(jnp.linalg.qr(scaled, mode="r"), full_matrices=False)
        kept = root > root[0] * len(root) * 8 * jnp.finfo(x.dtype).eps
        vectors, root = vectors.T, jnp.where(kept, root, 1)
        # `whiten` makes the covariates orthonormal; `back` is its inverse on what is kept.
        whiten = jnp.where(kept, vectors / root, 0) / size[:, None]
        back = jnp.where(kept, vectors * root, 0).T * size
        pooled = whiten @ (whiten.T @ (design @ (weights * y)) / weights.sum())
        residual = y - pooled @ design
        # Once more, so that a wide offset leaves no rounding.
        pooled = pooled + whiten @ (whiten.T @ (design @ (weights * residual)) / weights.sum())
        residual = y - pooled @ design
        spread = jnp.sqrt(weights @ residual**2 / weights.sum())
        spread = jnp.where(spread > 0, spread, 1)
        return {"whiten": whiten, "back": back, "pooled": pooled, "spread": spread}

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        y, design = x[0, 0], x[0, 1:]
        residual = (y - reference["pooled"] @ design) / reference["spread"]
        return jnp.concatenate([residual[None], reference["whiten"].T @ design])[None]

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        i, j = np.triu_indices(u.shape[1])
        return u[:, i] * u[:, j]

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.broadcast_to(
            -LOG_2PI / 2 - jnp.log(reference["spread"]), (x.shape[0], x.shape[-1])
        )

    def form(self, args: Args, reference: Args) -> jax.Array:
        slope, scale = _standardised(args, reference)
        return _residual(slope) / scale

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        slope, scale = _standardised(args, reference)
        residual = _residual(slope)
        i, j = np.triu_indices(residual.shape[-1])
        products = residual[:, i] * residual[:, j] * np.where(i == j, -0.5, -1.0)
        eta = products[:, None] / scale[..., None] ** 2
        return eta.astype(slope.dtype), jnp.log(scale)

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        tie, tie_scale = ties["coefficients"], ties["scale"]
        p = args["coefficients"].shape[1]
        moments = _moments(stats.sums[:, 0], p + 1)
        old, old_scale = _standardised(args, reference)
        spread, count = reference["spread"], stats.count

        def variances(slope: jax.Array) -> jax.Array:
            residual = _residual(slope)
            square = jnp.einsum("ki,kij,kj->k", residual, moments, residual)[:, None]
            square = jnp.maximum(square, 0)
            pooled = ratio(tie_scale.pool(square), tie_scale.pool(count), old_scale**2)
            return tie_scale.choose(pooled, old_scale**2)

        free = len(np.unique(tie.groups)) == tie.groups.size and not tie.fixed.any()
        if free:
            slope = _solve(moments[:, 1:, 1:], moments[:, 1:, 0], old)
            variance = variances(slope)
            raw = reference["pooled"] + spread * slope @ reference["whiten"].T
            # What is exactly collinear stays where it was.
            raw = raw + _outside(args["coefficients"] - reference["pooled"], reference)
        else:
            raw, variance = args["coefficients"], old_scale**2
            for _ in range(1 if tie_scale.fixed.all() else 2):
                raw = _tied(moments, raw, variance, tie, reference)
                variance = variances(_slopes(raw, reference))
        return {
            "coefficients": tie.choose(raw, args["coefficients"]),
            "scale": tie_scale.choose(spread * jnp.sqrt(variance), args["scale"]),
        }

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return u.reshape(-1, u.shape[-1])

    def width(self, name: str, shape: tuple[int, ...]) -> int:
        return shape[1]

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        own = args["scale"] / reference["spread"]
        return own_scale(own, ties["scale"])


def _slopes(raw: jax.Array, reference: Args) -> jax.Array:
    """Coefficients (k, p) of the whitened covariates for the standardised residual."""
    return (raw - reference["pooled"]) @ reference["back"].T / reference["spread"]


def _residual(slope: jax.Array) -> jax.Array:
    """(k, 1 + p) what makes a residual of the coordinates."""
    return jnp.concatenate([jnp.ones_like(slope[:, :1]), -slope], -1)


def _outside(raw: jax.Array, reference: Args) -> jax.Array:
    """The part of coefficients that no row feels."""
    return raw - raw @ reference["back"].T @ reference["whiten"].T


def _standardised(args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
    return _slopes(args["coefficients"], reference), args["scale"] / reference["spread"]


def _moments(sums: jax.Array, size: int) -> jax.Array:
    """(k, q) distinct products to (k, size, size) symmetric matrices."""
    i, j = np.triu_indices(size)
    full = jnp.zeros((sums.shape[0], size, size), sums.dtype)
    return full.at[:, i, j].set(sums).at[:, j, i].set(sums)


def _solve(matrix: jax.Array, vector: jax.Array, old: jax.Array) -> jax.Array:
    """The solution of ``matrix b = vector`` nearest to ``old`` where there are many."""
    values, vectors = jnp.linalg.eigh(matrix)
    eps = jnp.finfo(matrix.dtype).eps
    kept = values > jnp.maximum(values[..., -1:], 0) * values.shape[-1] * 8 * eps
    inverse = jnp.where(kept, 1 / jnp.where(kept, values, 1), 0)
    missing = vector - jnp.einsum("...ij,...j->...i", matrix, old)
    along = jnp.einsum("...ij,...i->...j", vectors, missing) * inverse
    return old + jnp.einsum("...ij,...j->...i", vectors, along)


def _tied(
    moments: jax.Array, raw: jax.Array, variance: jax.Array, tie: Ties, reference: Args
) -> jax.Array:
    """Generalised least squares over the distinct free coefficients, at given variances."""
    k, p = raw.shape
    unique, inverse = np.unique(tie.groups, return_inverse=True)
    inverse = inverse.reshape(k, p)
    member = np.zeros((k, p, len(unique)))
    member[np.arange(k)[:, None], np.arange(p)[None], inverse] = ~tie.fixed
    back = reference["back"] / reference["spread"]
    into = jnp.einsum("qp,kpm->kqm", back, jnp.asarray(member, raw.dtype))
    weight = 1 / variance  # (k, 1)
    second = moments[:, 1:, 1:] * weight[..., None]
    slope = _slopes(raw, reference)
    missing = moments[:, 1:, 0] * weight - jnp.einsum("kij,kj->ki", second, slope)
    matrix = jnp.einsum("kim,kij,kjn->mn", into, second, into)
    vector = jnp.einsum("kim,ki->m", into, missing)
    size = jnp.sqrt(jnp.maximum(jnp.diagonal(matrix), 0))
    size = jnp.where(size > 0, size, 1)
    step = _solve(matrix / size[:, None] / size, vector / size, jnp.zeros_like(vector)) / size
    return raw + jnp.asarray(member, raw.dtype) @ step
