"""Negative binomials: by mean and ``concentration``, or by ``total_count`` and probs or logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import gammaln
from numpyro.distributions.conjugate import NegativeBinomialLogits, NegativeBinomialProbs

from ._family import Args, Ties, ratio, safe_log
from ._rows import RowFamily
from ._solve import root_of_score
from ._special import log_minus_digamma, stirling
from .bernoulli import log_odds


class NegativeBinomial2(RowFamily):
    """``log f = log Gamma(x + r) / (Gamma(r) x!) + r log r + x log m - (x + r) log(r + m)``.

    The mean m is the weighted mean; the concentration r solves the equation of its profile
    (Johnson, Kemp & Kotz 2005, Univariate Discrete Distributions, section 5.8.3). Counts that
    vary no more than Poisson's have no finite r: it stops at 1e7 (1e4 in single precision).
    """

    distributions = (dist.NegativeBinomial2,)
    domains = {"mean": "positive", "concentration": "positive"}
    remade = frozenset({"mean"})
    scores = True

    def arguments(self, fn: dist.Distribution) -> dict[str, Any]:
        """NumPyro keeps the rate of the Gamma mixture in the place of the mean."""
        return {"mean": fn.concentration / fn.rate, "concentration": fn.concentration}

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Means nested in concentrations, those of one concentration all free or all fixed."""
        return ties["mean"].within(ties["concentration"])

    def limits(self, dtype: jnp.dtype) -> Mapping[str, float]:
        return {"concentration": _most(dtype)}

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return -x - gammaln(x + 1)

    def log_density(self, u: jax.Array, known: Args, args: Args, reference: Args) -> jax.Array:
        r, mean = args["concentration"][..., None], args["mean"][..., None]
        gain = stirling(u + r) - stirling(r)
        return gain + (u + r) * jnp.log1p((u - mean) / (r + mean)) + u * safe_log(mean)

    def improve(
        self,
        u: jax.Array,
        weights: jax.Array,
        known: Args,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> dict[str, jax.Array]:
        tie = ties["mean"]
        total = (weights * u).sum(-1)
        count = weights.sum(-1) * jnp.ones_like(total)
        mean = tie.choose(ratio(tie.pool(total), tie.pool(count), args["mean"]), args["mean"])
        r = concentration(u, weights, mean, args["concentration"], ties["concentration"])
        return {"mean": mean, "concentration": r}


class NegativeBinomial(RowFamily):
    """``log f = ... + r log(1 - p) + x log p``: a mean of ``r p / (1 - p)``, r ``total_count``.

    With p free, r is that of `NegativeBinomial2` and ``p = m / (m + r)``; with r fixed (a number of
    failures, say) the equation of p remains, with p fixed that of r.
    """

    distributions = (NegativeBinomialProbs, NegativeBinomialLogits)
    domains = {"total_count": "positive", "probs": "unit_interval", "logits": "real"}
    scores = True

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Probabilities nested in counts, those of one count all free or all fixed."""
        return ties[_odds(ties)].wholly_within(ties["total_count"])

    def limits(self, dtype: jnp.dtype) -> Mapping[str, float]:
        return {"total_count": _most(dtype)}

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return -x - gammaln(x + 1)

    def log_density(self, u: jax.Array, known: Args, args: Args, reference: Args) -> jax.Array:
        log_p, log_q = log_odds({n: v for n, v in args.items() if n != "total_count"})
        r, log_p, log_q = (v[..., None] for v in (args["total_count"], log_p, log_q))
        gain = stirling(u + r) - stirling(r) + (u + r) * jnp.log1p(u / r)
        return gain + u * (jnp.log(r) + log_p) + r * log_q

    def improve(
        self,
        u: jax.Array,
        weights: jax.Array,
        known: Args,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> dict[str, jax.Array]:
        name = _odds(args)
        tie, old, r = ties[name], args[name], args["total_count"]
        total = (weights * u).sum(-1)
        count = weights.sum(-1) * jnp.ones_like(total)
        mean = ratio(tie.pool(total), tie.pool(count), jnp.ones_like(total))
        tail = None
        if tie.fixed.any():
            tail = (tie.fixed, log_odds({name: old})[1])
        r = concentration(u, weights, mean, r, ties["total_count"], tail)
        failures = tie.pool(r * count)
        if name == "logits":
            new = safe_log(tie.pool(total)) - safe_log(failures)
        else:
            new = ratio(tie.pool(total), tie.pool(total) + failures, old)
        new = jnp.where(tie.pool(count) > 0, new, old)
        return {"total_count": r, name: tie.choose(new, old)}


def _odds(named: Mapping) -> str:
    return "logits" if "logits" in named else "probs"


def _most(dtype: jnp.dtype) -> float:
    return 1e7 if jnp.finfo(dtype).bits > 32 else 1e4


def concentration(
    u: jax.Array,
    weights: jax.Array,
    mean: jax.Array,
    old: jax.Array,
    tie: Ties,
    tail: tuple | None = None,
) -> jax.Array:
    """r of highest likelihood for counts (c, n) of a given mean, or of a given ``log(1 - p)``."""
    if tie.fixed.all():
        return old
    rows = tie.pool(weights.sum(-1) * jnp.ones_like(old))

    def score(r: jax.Array) -> jax.Array:
        # digamma(x + r) - digamma(r) - log(1 + x / r), then the terms in the mean
        gap, gap_x = log_minus_digamma(r)[0], log_minus_digamma(u + r[..., None])[0]
        own, m = r[..., None], mean[..., None]
        excess = (u - m) / (own + m)
        level = jnp.log1p(excess) - excess
        if tail is not None:
            fixed, log_q = tail
            given = jnp.log1p(u / own) + log_q[..., None]
            level = jnp.where(fixed[..., None], given, level)
        return tie.pool((weights * (gap[..., None] - gap_x + level)).sum(-1))

    return tie.choose(root_of_score(score, old, rows, 1e-6, _most(u.dtype)), old)
