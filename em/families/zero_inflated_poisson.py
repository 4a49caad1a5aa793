"""ZeroInflatedPoisson: 0 with probability ``gate``, else Poisson of mean ``rate``."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import gammaln

from ._family import Args, Family, Statistics, Ties, ratio, safe_log, safe_log1m
from ._solve import root


class ZeroInflatedPoisson(Family):
    """``P(0) = g + (1 - g) e^-rate``, ``P(x) = (1 - g) e^-rate rate^x / x!``.

    The numbers of zeros and of others and the sum are sufficient. Inside its bounds the rate
    solves ``rate / (1 - e^-rate) = mean of the positive counts`` and the gate then makes P(0) the
    share of zeros (Johnson, Kemp & Kotz 2005, Univariate Discrete Distributions, section 8.2);
    where that gate would be negative it is 0 and the rate the mean.
    """

    distributions = (dist.ZeroInflatedPoisson,)
    domains = {"gate": "unit_interval", "rate": "positive"}
    closed = False

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Gate and rate shared by the same cells and free, or the rate fixed beside a free gate."""
        gate, rate = ties["gate"], ties["rate"]
        pairs = set(zip(gate.sharing.flat, rate.sharing.flat, strict=True))
        same = len(set(gate.sharing.flat)) == len(pairs) == len(set(rate.sharing.flat))
        return same and not (gate.fixed & ~rate.fixed).any()

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        zero = (u == 0).astype(u.dtype)
        return jnp.stack([zero, 1 - zero, u], 1)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return -gammaln(x + 1)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        gate, rate = args["gate"], args["rate"]
        zero = safe_log(gate + (1 - gate) * jnp.exp(-rate))
        eta = jnp.stack([zero, safe_log1m(gate) - rate, safe_log(rate)], -1)
        return eta, jnp.zeros_like(rate)

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        tie_gate, tie_rate = ties["gate"], ties["rate"]
        pooled = Ties(tie_gate.sharing, tie_gate.fixed).pool(stats.sums)
        zeros, others, total = (pooled[..., i] for i in range(3))
        rows = zeros + others
        inflated = _truncated_rate(ratio(total, others, jnp.full_like(total, 2)))
        inflated = tie_rate.choose(jnp.where(others > 0, inflated, args["rate"]), args["rate"])
        # 1 - gate = P(x > 0) / (1 - e^-rate)
        gate = 1 - ratio(others / jnp.maximum(rows, 1e-30), -jnp.expm1(-inflated), 0 * rows)
        mean = ratio(total, rows, args["rate"])
        rate = tie_rate.choose(jnp.where(gate > 0, inflated, mean), args["rate"])
        gate = jnp.where(rows > 0, jnp.clip(gate, 0, 1), args["gate"])
        return {
            "gate": tie_gate.choose(gate, args["gate"]),
            "rate": jnp.where(rows > 0, rate, args["rate"]),
        }


def _truncated_rate(mean: jax.Array) -> jax.Array:
    """``rate`` of ``rate / (1 - e^-rate) = mean`` > 1; tiny where the mean is 1."""
    mean = jnp.maximum(mean, 1 + 4 * jnp.finfo(mean.dtype).eps)
    # From below by 2 (mean - 1) at most; the mean from above.
    start = jnp.where(mean < 2, 2 * (mean - 1) * (2 - 0.5 * mean), mean - jnp.exp(-mean) * mean)

    def equation(rate: jax.Array) -> tuple[jax.Array, jax.Array]:
        positive = -jnp.expm1(-rate)
        value = rate / positive
        return mean - value, -(1 - value * jnp.exp(-rate)) / positive

    return root(equation, start, start / 8, start * 8)
