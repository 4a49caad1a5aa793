"""DirichletMultinomial and BetaBinomial: counts whose probabilities vary from row to row."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import gammaln

from ._family import Args, Ties, ratio, shares
from ._rows import RowFamily
from ._solve import ascend
from ._special import log_minus_digamma, stirling
from .beta import NAMES, aligned

_INNER_STEPS = 8


class DirichletMultinomial(RowFamily):
    """``log f = sum_i log Gamma(x_i + a_i) / Gamma(a_i) - log Gamma(t + s) / Gamma(s) + ...``.

    t is the total count of a row, s the sum of the concentrations. Newton's method on a Hessian
    that is a diagonal plus a matrix of rank one, and where that does not ascend the fixed point of
    a lower bound (Minka 2000, Estimating a Dirichlet distribution, section 2). Counts that vary no
    more than a Multinomial's have no finite s: it stops at 1e7 (1e4 in single precision).
    """

    distributions = (dist.DirichletMultinomial,)
    domains = {"concentration": "positive"}
    rank = {"concentration": 1}
    scores = True

    def limits(self, dtype: jnp.dtype) -> Mapping[str, float]:
        return {"concentration": _most(dtype)}

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return _choices(x)

    def log_density(self, u: jax.Array, known: Args, args: Args, reference: Args) -> jax.Array:
        return _log_density(u, args["concentration"])

    def improve(
        self,
        u: jax.Array,
        weights: jax.Array,
        known: Args,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> dict[str, jax.Array]:
        tie, old = ties["concentration"], args["concentration"]
        fixed = np.broadcast_to(tie.fixed[..., None], old.shape)
        return {"concentration": _solve(u, weights, old, tie, fixed)}

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return shares(u, u.sum(1, keepdims=True), weights)


class BetaBinomial(RowFamily):
    """Two counts, x and ``total_count - x``; see DirichletMultinomial."""

    distributions = (dist.BetaBinomial,)
    domains = {"concentration1": "positive", "concentration0": "positive"}
    known = ("total_count",)
    scores = True

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """As for Beta."""
        return aligned(*(ties[name] for name in NAMES))

    def limits(self, dtype: jnp.dtype) -> Mapping[str, float]:
        return dict.fromkeys(NAMES, _most(dtype))

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return _choices(_both(x, known))

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return shares(u, known["total_count"], weights)

    def log_density(self, u: jax.Array, known: Args, args: Args, reference: Args) -> jax.Array:
        return _log_density(_both(u, known), jnp.stack([args[name] for name in NAMES], -1))

    def improve(
        self,
        u: jax.Array,
        weights: jax.Array,
        known: Args,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> dict[str, jax.Array]:
        fixed = np.stack([ties[name].fixed for name in NAMES], -1)
        tie = Ties(ties[NAMES[0]].sharing, fixed.all(-1))
        old = jnp.stack([args[name] for name in NAMES], -1)
        found = _solve(_both(u, known), weights, old, tie, fixed)
        return {name: found[..., i] for i, name in enumerate(NAMES)}


def _both(x: jax.Array, known: Args) -> jax.Array:
    """The two counts (c, 2, n)."""
    return jnp.stack([x, known["total_count"] - x], 1)


def _choices(x: jax.Array) -> jax.Array:
    """The log multinomial coefficient (c, n) of counts (c, m, n)."""
    return gammaln(x.sum(1) + 1) - gammaln(x + 1).sum(1)


def _log_density(x: jax.Array, a: jax.Array) -> jax.Array:
    """The log density (k, c, n) of counts (c, m, n), without the coefficient."""
    s = a.sum(-1)
    each = x * jnp.log(a / s[..., None])[..., None] + _log_gain(x, a[..., None])
    return each.sum(-2) - _log_gain(x.sum(1), s[..., None])


def _most(dtype: jnp.dtype) -> float:
    return 1e7 if jnp.finfo(dtype).bits > 32 else 1e4


def _solve(
    x: jax.Array, weights: jax.Array, old: jax.Array, tie: Ties, fixed: np.ndarray
) -> jax.Array:
    """Concentrations (k, c, m) of likelihood no lower than the old, for counts (c, m, n)."""
    total = x.sum(1)
    rows = tie.pool(weights.sum(-1) * jnp.ones_like(old[..., 0]))
    most = _most(x.dtype)

    def mean(values: jax.Array) -> jax.Array:
        """Means over the rows of (k, c, n) or (k, c, m, n), those of shared arguments pooled."""
        inner = values.ndim - 3
        own = weights.reshape(*weights.shape[:2], *[1] * inner, -1)
        pooled = tie.pool((own * values).sum(-1))
        return ratio(pooled, rows.reshape(*rows.shape, *[1] * inner), jnp.zeros_like(pooled))

    def evaluate(a: jax.Array) -> tuple[jax.Array, jax.Array]:
        s = a.sum(-1)
        above, slope_above = _gain(x, a[..., None])
        below, slope_below = _gain(total, s[..., None])
        value = mean(_log_density(x, a))
        up, down = mean(above), mean(below)[..., None]
        bend, twist = mean(slope_above), mean(slope_below)
        gradient = jnp.where(fixed, 0, up - down)
        inverse = jnp.where(fixed, 0, ratio(jnp.ones_like(bend), bend, jnp.zeros_like(bend)))
        held = ratio(jnp.ones_like(twist), twist, jnp.zeros_like(twist)) - inverse.sum(-1)
        along = ratio((gradient * inverse).sum(-1), held, jnp.zeros_like(held))
        newton = (gradient + along[..., None]) * inverse
        newton = jnp.clip(newton, -0.9 * a, 9 * a)
        usable = (held > 0) & ((newton * gradient).sum(-1) > 0)
        bound = jnp.where(fixed, 0, a * (ratio(up, down, jnp.ones_like(up)) - 1))
        step = jnp.where(usable[..., None], newton, bound)
        return value, jnp.where((s < most)[..., None] | (step < 0), step, 0)

    found = ascend(evaluate, old, _INNER_STEPS)
    return jnp.where(fixed | (rows <= 0)[..., None], old, found)


def _gain(x: jax.Array, a: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``digamma(x + a) - digamma(a)`` and minus its derivative, both positive."""
    gap, slope = log_minus_digamma(a)
    gap_x, slope_x = log_minus_digamma(x + a)
    return jnp.log1p(x / a) + gap - gap_x, x / (a * (x + a)) - slope + slope_x


def _log_gain(x: jax.Array, a: jax.Array) -> jax.Array:
    """``log Gamma(x + a) - log Gamma(a) - x log a + x``."""
    return stirling(x + a) - stirling(a) + (x + a) * jnp.log1p(x / a)
