"""Matrices of components: triangular inverses, inverses, and the products of a row's entries."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from ..machine.arrays import product

# Larger triangular systems OpenBLAS solves in threads, which then wait for more by spinning: for
# tens of milliseconds they take the cores away from XLA's own.
_ONE_THREAD = 16


def inverse_of_tril(tril: jax.Array) -> jax.Array:
    """``L^-1`` (..., d, d) of lower triangular matrices, by halves."""
    d = tril.shape[-1]
    if d <= _ONE_THREAD:
        eye = jnp.broadcast_to(jnp.eye(d, dtype=tril.dtype), tril.shape)
        return solve_triangular(tril, eye, lower=True)
    half = d // 2
    first, last = inverse_of_tril(tril[..., :half, :half]), inverse_of_tril(tril[..., half:, half:])
    below = -product(product(last, tril[..., half:, :half]), first)
    above = jnp.zeros((*tril.shape[:-2], half, d - half), tril.dtype)
    return jnp.block([[first, above], [below, last]])


def inverse(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The inverse (..., d, d) of positive definite matrices, and the log of their determinant."""
    return inverse_by_factor(jnp.linalg.cholesky(matrix))


def inverse_by_factor(tril: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The same of ``L L'``."""
    half = inverse_of_tril(tril)
    log_det = 2 * jnp.log(jnp.diagonal(tril, axis1=-2, axis2=-1)).sum(-1)
    return product(half.mT, half), log_det


def entries_and_products(u: jax.Array) -> jax.Array:
    """(c, d (d + 3) / 2, n) each row's entries (c, d, n), and the products of any two of them.

    One loop writes them all: entries are products with 1. Those of pairs come as
    ``np.triu_indices`` has them.
    """
    d = u.shape[1]
    i, j = np.triu_indices(d + 1)
    with_one = jnp.concatenate([jnp.ones_like(u[:, :1]), u], 1)
    return with_one[:, i[1:]] * with_one[:, j[1:]]
