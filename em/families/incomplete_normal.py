"""Multivariate normal rows of which some coordinates are missing at random."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ..machine.arrays import product
from ._family import Args, Augmented
from ._matrices import inverse
from .eigen_normal import EigenNormal
from .multivariate_normal import MultivariateNormal
from .multivariate_normal import standardised as standardised_args
from .normal import LOG_2PI


class Context(NamedTuple):
    """One component, for each pattern: what a row needs (see `IncompleteMultivariateNormal`)."""

    loc: jax.Array  # (c, d)
    covariance: jax.Array  # (c, d, d)
    precision: jax.Array  # (P, c, d, d) inverse of the observed block, 0 elsewhere
    conditional: jax.Array  # (P, c, d, d) covariance of the missing block, 0 elsewhere
    log_det: jax.Array  # (P, c) of the observed block
    seen: jax.Array  # (P, c, d)


class IncompleteMultivariateNormal(MultivariateNormal, Augmented):
    """A row's density is that of its observed coordinates; the rest are latent in the M-step.

    With o the observed and m the missing coordinates of a row, its features are the conditional
    moments ``E[x_m | x_o] = loc_m + S_mo S_oo^-1 (x_o - loc_o)`` and
    ``Cov[x_m | x_o] = S_mm - S_mo S_oo^-1 S_om`` (Little & Rubin 2019, Statistical Analysis with
    Missing Data, section 11.2). Matrices are made once for each pattern of missing coordinates.
    """

    distributions = ()
    completes = (*MultivariateNormal.distributions, *EigenNormal.distributions)

    def context(self, args: Args, patterns: jax.Array, reference: Args) -> Context:
        loc, tril = standardised_args(args, reference)
        covariance = product(tril, tril.mT)
        both = patterns[..., :, None] * patterns[..., None, :]
        inverted, log_det = inverse(covariance * both + _identity(1 - patterns))
        precision = inverted * both
        known = jnp.einsum("cij,pcjk,ckl->pcil", covariance, precision, covariance)
        missing = (1 - patterns)[..., :, None] * (1 - patterns)[..., None, :]
        conditional = (covariance - known) * missing
        return Context(loc, covariance, precision, conditional, log_det, patterns)

    def log_density(self, u: jax.Array, pattern: jax.Array, context: Context) -> jax.Array:
        centred, weighted = _weighted(u, pattern, context)
        square = (centred * weighted).sum(1)
        half = (square + context.log_det[pattern].T) / 2
        return -half.sum(0)

    def sums(
        self, u: jax.Array, pattern: jax.Array, weight: jax.Array, context: Context
    ) -> jax.Array:
        _, weighted = _weighted(u, pattern, context)
        filled = context.loc[..., None] + jnp.einsum("cij,cjn->cin", context.covariance, weighted)
        features = self.features(filled, {}, {})
        counts = jax.ops.segment_sum(weight, pattern, context.seen.shape[0])
        i, j = np.triu_indices(u.shape[1])
        spread = jnp.einsum("p,pcq->cq", counts, context.conditional[..., i, j])
        linear = jnp.zeros((u.shape[0], u.shape[1]), u.dtype)
        return features @ weight + jnp.concatenate([linear, spread], -1)

    def base_of(self, seen: jax.Array, reference: Args) -> jax.Array:
        constant = LOG_2PI / 2 + jnp.log(reference["spread"])
        return -jnp.einsum("cdn,cd->cn", seen, constant)

    def scored(self, fn: dist.MultivariateNormal, x: jax.Array, seen: jax.Array) -> jax.Array:
        seen = seen.astype(x.dtype)
        centred = (x - fn.loc) * seen
        both = seen[..., :, None] * seen[..., None, :]
        inverted, log_det = inverse(fn.covariance_matrix * both + _identity(1 - seen))
        square = jnp.einsum("...i,...ij,...j->...", centred, inverted, centred)
        return -(square + log_det + seen.sum(-1) * LOG_2PI) / 2


def _identity(diagonal: jax.Array) -> jax.Array:
    return diagonal[..., None] * jnp.eye(diagonal.shape[-1], dtype=diagonal.dtype)


def _weighted(u: jax.Array, pattern: jax.Array, context: Context) -> tuple[jax.Array, jax.Array]:
    """(c, d, n) the centred observed coordinates, and the same times the observed precision."""
    seen = jnp.moveaxis(context.seen[pattern], 0, -1)
    centred = (u - context.loc[..., None]) * seen
    return centred, jnp.einsum("ncij,cjn->cin", context.precision[pattern], centred)
