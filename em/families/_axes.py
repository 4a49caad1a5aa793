"""Axes of covariance matrices: rotated towards one or several matrices at once, and in one form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ..machine.arrays import product
from ._family import Ties


def principal_axes(matrix: jax.Array) -> jax.Array:
    """Eigenvectors of (..., d, d) as columns, in increasing order of the eigenvalues."""
    return jnp.linalg.eigh(matrix)[1]


def ordered_like(axes: jax.Array, values: jax.Array) -> jax.Array:
    """Columns in increasing order put into the order of ``values`` (..., d).

    By von Neumann's trace inequality this pairs eigenvectors with a given shape as it fits best.
    """
    rank = jnp.argsort(jnp.argsort(values, -1), -1)
    return jnp.take_along_axis(axes, rank[..., None, :], -1)


def plane_rotations(axes: jax.Array, matrix: jax.Array, inverse: jax.Array, tie: Ties) -> jax.Array:
    """One sweep of rotations that lower ``sum_k tr(diag(a_k) D' W_k D)`` over shared axes D.

    In the plane of two axes the sum is ``C cos 2t + S sin 2t`` and a constant, so that the best
    angle t is known; planes that share no axis are turned at once, and d - 1 rounds (d if it is
    odd) meet every pair. The sum never rises. With one matrix this is Jacobi's eigenvalue method,
    with several the step of Flury & Gautschi (1986, SIAM Journal on Scientific and Statistical
    Computing 7:169) for given shapes. ``axes`` and ``matrix`` W are (k, c, d, d), ``inverse`` a
    is (k, c, d); the cells of a group of ``tie`` have the same axes, fixed ones keep theirs.
    """
    turned = product(axes.mT, product(matrix, axes))

    def round_of(carry: tuple, partner: jax.Array) -> tuple:
        axes, turned = carry
        diagonal = jnp.diagonal(turned, axis1=-2, axis2=-1)
        across = jnp.take_along_axis(turned, _like(partner, turned), -1)[..., 0]
        contrast = inverse - inverse[..., partner]
        cosine = tie.pool(contrast * (diagonal - diagonal[..., partner])) / 2
        sine = tie.pool(contrast * across)
        level = (cosine == 0) & (sine == 0)
        angle = jnp.where(level, 0, jnp.arctan2(-sine, -cosine) / 2)
        angle = jnp.where(tie.fixed[..., None], 0, angle)
        c, s = jnp.cos(angle)[..., None, :], jnp.sin(angle)[..., None, :]
        axes = axes * c + axes[..., partner] * s
        turned = turned * c + turned[..., partner] * s
        turned = turned * c.mT + turned[..., partner, :] * s.mT
        return (axes, turned), None

    rounds = jnp.asarray(_rounds(axes.shape[-1]))
    return _orthogonalised(jax.lax.scan(round_of, (axes, turned), rounds)[0][0])


def _like(partner: jax.Array, array: jax.Array) -> jax.Array:
    return jnp.broadcast_to(partner[:, None], (*array.shape[:-1], 1))


def _rounds(d: int) -> np.ndarray:
    """(rounds, d) whom each axis meets in each round, itself where it sits out (round robin)."""
    m = d + d % 2
    table, ring = [], list(range(1, m))
    for _ in range(m - 1):
        seats = [0, *ring]
        partner = np.arange(m)
        for a, b in zip(seats[: m // 2], seats[: m // 2 - 1 : -1], strict=True):
            partner[a], partner[b] = b, a
        # With an odd d the last seat is empty: whoever meets it stays.
        table.append(np.where(partner[:d] < d, partner[:d], np.arange(d)))
        ring = [ring[-1], *ring[:-1]]
    return np.array(table, int).reshape(-1, d)


def _orthogonalised(axes: jax.Array) -> jax.Array:
    """Nearly orthogonal matrices without their rounding error: one step of Newton and Schulz."""
    gram = product(axes.mT, axes)
    return product(axes, 1.5 * jnp.eye(axes.shape[-1], dtype=axes.dtype) - gram / 2)


def rotations(axes: jax.Array) -> jax.Array:
    """The same axes with the signs of the columns so chosen that they are a rotation D.

    Eliminating ``D + diag(signs)`` column by column, each sign is that of the entry it is added
    to: then every pivot is at least 1, ``det(I + D) >= 1``, and Cayley coordinates stay bounded
    (the argument of Ballard et al., 2014, IPDPS, for Householder vectors).
    """
    d = axes.shape[-1]

    def eliminate(j: int, carry: tuple) -> tuple:
        rest, signs = carry
        pivot = rest[..., j, j]
        sign = jnp.where(pivot < 0, -1, 1).astype(rest.dtype)
        below = jnp.where(jnp.arange(d) > j, rest[..., :, j], 0) / (pivot + sign)[..., None]
        rest = rest - below[..., :, None] * rest[..., j, None, :]
        return rest, signs.at[..., j].set(sign)

    signs = jnp.ones(axes.shape[:-1], axes.dtype)
    _, signs = jax.lax.fori_loop(0, d, eliminate, (axes, signs))
    return axes * signs[..., None, :]
