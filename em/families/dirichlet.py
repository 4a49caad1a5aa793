"""Dirichlet: proportions with positive ``concentration``."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ._family import Args, Family, Statistics, Ties, linked, own_scale, ratio
from ._solve import ascend
from ._special import log_minus_digamma, stirling


class Dirichlet(Family):
    """``log f = sum_i (a_i - 1) log x_i - sum_i log Gamma(a_i) + log Gamma(sum_i a_i)``.

    The statistics are those of ``u_i = log(x_i / g_i)``, g the normalised geometric means of all
    rows, and of ``v = sum_i g_i (e^(u_i) - 1 - u_i)``: of second order, so that a concentrated
    component keeps its digits. The likelihood equations ``digamma(a_i) - digamma(sum a) = mean
    log x_i`` are solved by Newton's method, whose Hessian is a diagonal plus a matrix of rank one
    (Minka 2000, Estimating a Dirichlet distribution, section 1).
    """

    distributions = (dist.Dirichlet,)
    domains = {"concentration": "positive"}
    rank = {"concentration": 1}
    closed = False

    def admits(self, x: jax.Array) -> jax.Array:
        """Proportions above 0: at 0 the density is 0 or infinite."""
        return (x > 0).all(-1)

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        log_x = self._log(x)
        total = weights.sum()
        groups = np.concatenate([tie.groups for tie in ties.values()])
        centre = jax.nn.log_softmax(linked(groups, log_x @ weights / total), -1)
        u = log_x - centre[..., None]
        mean = u @ weights / total
        square = (jnp.exp(centre) * ((u - mean[..., None]) ** 2 @ weights / total)).sum(-1)
        spread = jnp.sqrt(linked(groups, square))
        return {"log_centre": centre, "spread": jnp.where(spread > 0, spread, 1)}

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return self._log(x) - reference["log_centre"][..., None]

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        g = jnp.exp(reference["log_centre"])[..., None]
        return jnp.concatenate([u, (g * (jnp.expm1(u) - u)).sum(1, keepdims=True)], 1)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return -self._log(x).sum(1)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        return _natural(self._vector(args), reference["log_centre"])

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        tie = ties["concentration"]
        old = args["concentration"]
        fixed = np.broadcast_to(tie.fixed[..., None], old.shape)
        return {"concentration": solve(stats, old, tie, fixed, reference)}

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        (tie, *_) = ties.values()
        return own_scale(jax.lax.rsqrt(self._vector(args).sum(-1)) / reference["spread"], tie)

    def _log(self, x: jax.Array) -> jax.Array:
        """The logarithms (c, m, n) of the proportions."""
        return jnp.log(x)

    def _vector(self, args: Args) -> jax.Array:
        """The concentrations (k, c, m)."""
        return args["concentration"]


def solve(
    stats: Statistics, old: jax.Array, tie: Ties, fixed: np.ndarray, reference: Args
) -> jax.Array:
    """Concentrations (k, c, m) of highest likelihood; those that are ``fixed`` stay ``old``."""
    count = tie.pool(stats.count)
    mean = ratio(tie.pool(stats.sums), count[..., None], jnp.ones_like(stats.sums))
    u, v = mean[..., :-1], mean[..., -1]
    log_centre, m = reference["log_centre"], old.shape[-1]
    g = jnp.exp(log_centre)
    # exp(-gap) is the sum of the geometric means; it is 1 where the rows are all alike.
    missing = v - (g * (jnp.expm1(u) - u)).sum(-1)
    gap = -jnp.log1p(-jnp.clip(missing, 0, 1 - jnp.finfo(v.dtype).eps))
    least = jnp.finfo(v.dtype).eps * reference["spread"] ** 2
    # Never rows alike altogether: the sum of the concentrations stays finite.
    shortage = jnp.maximum(least - gap, 0)
    total = (m - 1) / (2 * jnp.maximum(gap, least))
    start = total[..., None] * jax.nn.softmax(log_centre + u, -1)
    start = jnp.maximum(start, jnp.finfo(v.dtype).eps)
    start = jnp.where(fixed, old, start)
    # For every row sum_i g_i u_i = -v; the gradient is to hold what v says of it.
    level = u - ((g * u).sum(-1) + v + shortage)[..., None]

    def evaluate(a: jax.Array) -> tuple[jax.Array, jax.Array]:
        eta, normaliser = _natural(a, log_centre)
        sums = jnp.concatenate([u, (v + shortage)[..., None]], -1)
        return (eta * sums).sum(-1) - normaliser, _newton(a, level, fixed, g)

    found = ascend(evaluate, start)
    return jnp.where(fixed | (count <= 0)[..., None], old, found)


def _natural(a: jax.Array, log_centre: jax.Array) -> tuple[jax.Array, jax.Array]:
    g = jnp.exp(log_centre)
    total = a.sum(-1, keepdims=True)
    excess = a / (total * g) - 1
    eta = jnp.concatenate([a - total * g, -total], -1)
    divergence = g * ((1 + excess) * jnp.log(a / (total * g)) - excess)
    total = total[..., 0]
    return eta, stirling(a).sum(-1) - stirling(total) + total * divergence.sum(-1)


def _newton(a: jax.Array, u: jax.Array, fixed: np.ndarray, g: jax.Array) -> jax.Array:
    total = a.sum(-1, keepdims=True)
    value, slope = log_minus_digamma(a)
    value_total, slope_total = log_minus_digamma(total)
    gradient = u - jnp.log(a / (total * g)) + value - value_total
    gradient = jnp.where(fixed, 0, gradient)
    # 1 / trigamma(a) = a - w, w near 1/2: the difference of the large numbers cancels by hand.
    trigamma, trigamma_total = 1 / a - slope, 1 / total - slope_total
    w = -a * slope / trigamma
    w_total = -total * slope_total / trigamma_total
    held = jnp.where(fixed, a, w).sum(-1, keepdims=True) - w_total
    along = (gradient / trigamma).sum(-1, keepdims=True) / held
    return jnp.where(fixed, 0, (gradient + along) / trigamma)
