"""Gamma, InverseGamma and Chi2: one pair of statistics, log x and x (or 1 / x)."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ._family import Args, Family, Statistics, Ties, linked, own_scale, ratio
from ._solve import root
from ._special import log_minus_digamma, stirling


class Gamma(Family):
    """``log f = a log(b x) - b x - log Gamma(a) - log x``, a ``concentration``, b ``rate``.

    The statistics are those of ``u = log(x / g)``, g the geometric mean of all rows: u itself and
    ``v = e^u - 1 - u``, of second order, so that a narrow component keeps its digits. Given a, the
    rate is ``a / mean``; a then solves ``log a - digamma(a) = log(mean x) - mean(log x)`` (Minka
    2002, Estimating a Gamma distribution), or ``digamma(a) = mean(log(b x))`` where b is fixed.
    """

    distributions = (dist.Gamma,)
    domains = {"concentration": "positive", "rate": "positive"}
    closed = False

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Rates nested in concentrations, whose rates are all free or all fixed."""
        shape, rate = ties["concentration"], ties["rate"]
        return rate.wholly_within(shape)

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        log_x = self._log(x)
        groups = np.concatenate([tie.groups for tie in ties.values()])
        centre = linked(groups, log_x @ weights / weights.sum())
        square = (log_x - centre[:, None]) ** 2 @ weights / weights.sum()
        spread = jnp.sqrt(linked(groups, square))
        return {"centre": centre, "spread": jnp.where(spread > 0, spread, 1)}

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return self._log(x) - reference["centre"][:, None]

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.stack([u, jnp.expm1(u) - u], 1)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return -jnp.log(x)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        a = args["concentration"]
        log_ratio = jnp.log(args["rate"]) + reference["centre"] - jnp.log(a)
        excess = jnp.expm1(log_ratio)
        eta = jnp.stack([-a * excess, -a * (1 + excess)], -1)
        return eta, a * (excess - log_ratio) + stirling(a)

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        tie_shape, tie_rate = ties["concentration"], ties["rate"]
        count, first = stats.count, stats.sums[..., 0]
        total = tie_rate.pool(count)
        # The mean of x / g is 1 + excess.
        excess = ratio(tie_rate.pool(stats.sums.sum(-1)), total, jnp.zeros_like(total))
        gap = count * (jnp.log1p(excess) - excess) + stats.sums[..., 1]
        rows = tie_shape.pool(count)
        least = jnp.finfo(count.dtype).eps * reference["spread"] ** 2
        gap = jnp.maximum(ratio(tie_shape.pool(gap), rows, jnp.ones_like(rows)), least)
        shape = _from_gap(gap)
        if tie_rate.fixed.any():
            log_scaled = first + count * (jnp.log(args["rate"]) + reference["centre"])
            level = ratio(tie_shape.pool(log_scaled), rows, jnp.zeros_like(rows))
            shape = jnp.where(tie_rate.fixed, inverse_digamma(level), shape)
        old = args["concentration"]
        shape = tie_shape.choose(jnp.where(rows > 0, shape, old), old)
        mean = total * (1 + excess) * jnp.exp(reference["centre"])
        rate = ratio(tie_rate.pool(shape * count), mean, args["rate"])
        return {"concentration": shape, "rate": tie_rate.choose(rate, args["rate"])}

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        own = jax.lax.rsqrt(args["concentration"]) / reference["spread"]
        return own_scale(own, ties["concentration"])

    def _log(self, x: jax.Array) -> jax.Array:
        return jnp.log(x)


class InverseGamma(Gamma):
    """``1 / x`` is Gamma: ``log f = a log(b / x) - b / x - log Gamma(a) - log x``."""

    distributions = (dist.InverseGamma,)

    def _log(self, x: jax.Array) -> jax.Array:
        return -jnp.log(x)


class Chi2(Gamma):
    """Gamma of concentration ``df / 2`` and rate 1/2: ``digamma(df / 2) = mean(log(x / 2))``."""

    distributions = (dist.Chi2,)
    domains = {"df": "positive"}

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Any ties."""
        return True

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        return super().natural(_as_gamma(args), reference)

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        tie = ties["df"]
        rate = Ties(np.zeros_like(tie.groups), np.ones_like(tie.fixed))
        found = super().estimate(
            stats, _as_gamma(args), {"concentration": tie, "rate": rate}, reference
        )
        return {"df": tie.choose(2 * found["concentration"], args["df"])}

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        return None


def _as_gamma(args: Args) -> Args:
    return {"concentration": args["df"] / 2, "rate": jnp.full_like(args["df"], 0.5)}


def _from_gap(gap: jax.Array) -> jax.Array:
    """``a`` of ``log a - digamma(a) = gap``; the start is right to 1.5% (Minka 2002, eq. 7)."""
    top = jnp.sqrt((gap - 3) ** 2 + 24 * gap)
    start = jnp.where(gap < 3, (top + 3 - gap) / (12 * gap), 2 / (top + jnp.abs(gap - 3)))

    def equation(a: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, slope = log_minus_digamma(a)
        return value - gap, slope

    return root(equation, start, start / 4, start * 4)


def inverse_digamma(level: jax.Array) -> jax.Array:
    """``a`` of ``digamma(a) = level`` (start: Minka 2000, Estimating a Dirichlet, appendix C)."""
    level = jnp.clip(level, -1e9, 60.0)
    low = 1 / jnp.maximum(np.euler_gamma - level, 0.1)
    start = jnp.where(level >= -2.22, jnp.exp(level) + 0.5, low)

    def equation(a: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, slope = log_minus_digamma(a)
        return level - jnp.log(a) + value, slope - 1 / a

    return root(equation, start, start / 4, start * 4)
