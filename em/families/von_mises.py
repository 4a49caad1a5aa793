"""VonMises: angles with mean direction ``loc`` and ``concentration``."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import i0e

from ._family import Args, Family, Statistics, Ties, linked, own_scale, ratio
from ._solve import root
from ._special import bessel_gap


class VonMises(Family):
    """``log f = kappa cos(x - loc) - log(2 pi I_0(kappa))``.

    The statistics are those of ``u = x - centre``: ``sin u`` and ``1 - cos u``, of second order,
    so that a concentrated component keeps its digits. The loc is the direction of the resultant;
    kappa solves ``1 - I_1(kappa) / I_0(kappa) = 1 - resultant length`` (Mardia & Jupp 2000,
    Directional Statistics, section 5.3.1). A kappa of 0 is a boundary: the uniform circle.
    """

    distributions = (dist.VonMises,)
    domains = {"loc": "circular", "concentration": "positive"}
    closed = False

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Locs nested in concentrations."""
        return ties["loc"].within(ties["concentration"])

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        groups = np.concatenate([tie.groups for tie in ties.values()])
        cosine = linked(groups, jnp.cos(x) @ weights / weights.sum())
        sine = linked(groups, jnp.sin(x) @ weights / weights.sum())
        centre = jnp.arctan2(sine, cosine)
        gap = 2 * jnp.sin((x - centre[:, None]) / 2) ** 2
        spread = jnp.sqrt(2 * linked(groups, gap @ weights / weights.sum()))
        return {"centre": centre, "spread": jnp.where(spread > 0, spread, 1)}

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return x - reference["centre"][:, None]

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.stack([jnp.sin(u), 2 * jnp.sin(u / 2) ** 2], 1)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.full_like(x, -np.log(2 * np.pi))

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        kappa, loc = args["concentration"], args["loc"] - reference["centre"]
        eta = jnp.stack([kappa * jnp.sin(loc), -kappa * jnp.cos(loc)], -1)
        return eta, jnp.log(i0e(kappa)) + 2 * kappa * jnp.sin(loc / 2) ** 2

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        tie_loc, tie_kappa = ties["loc"], ties["concentration"]
        centre, old = reference["centre"], args["concentration"]
        count, sine, gap = stats.count, stats.sums[..., 0], stats.sums[..., 1]
        # Concentrations weigh the directions that share a loc; a shared one cancels.
        weight = jnp.where(tie_kappa.fixed, old, jnp.ones_like(old))
        south = tie_loc.pool(weight * sine)
        east = tie_loc.pool(weight * (count - gap))
        known = tie_loc.pool(count) > 0
        angle = jnp.where(known, jnp.arctan2(south, east), args["loc"] - centre)
        loc = tie_loc.choose(_wrapped(centre + angle), args["loc"])
        loc = jnp.where(known, loc, args["loc"])
        # count - (sine sin + cosine cos), without its cancellation.
        angle = loc - centre
        half = jnp.sin(angle / 2)
        short = 2 * half**2 * (count - gap) + gap - sine * jnp.sin(angle)
        rows = tie_kappa.pool(count)
        least = jnp.finfo(count.dtype).eps * reference["spread"] ** 2 / 2
        short = ratio(tie_kappa.pool(short), rows, jnp.full_like(rows, 0.5))
        kappa = _from_gap(jnp.maximum(short, least))
        return {"loc": loc, "concentration": tie_kappa.choose(jnp.where(rows > 0, kappa, old), old)}

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return jnp.concatenate([jnp.cos(u), jnp.sin(u)]) / jnp.tile(reference["spread"], 2)[:, None]

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        own = jax.lax.rsqrt(args["concentration"]) / reference["spread"]
        return own_scale(own, ties["concentration"])


def _wrapped(angle: jax.Array) -> jax.Array:
    return jnp.remainder(angle + np.pi, 2 * np.pi) - np.pi


def _from_gap(gap: jax.Array) -> jax.Array:
    """``kappa`` of ``1 - I_1 / I_0 = gap``; 0 where the resultant vanishes (or points away)."""
    length = jnp.clip(1 - gap, 0, 1)
    # Start: Best & Fisher 1981, Communications in Statistics B 10:493.
    low = length * (2 + length**2 + 5 * length**4 / 6)
    high = 1 / (gap * (2 - gap) * (1 + gap))
    start = jnp.where(length < 0.53, low, jnp.maximum(high, 1))
    flat = length <= 4 * jnp.finfo(gap.dtype).eps
    start = jnp.where(flat, 1, start)

    def equation(kappa: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, slope = bessel_gap(kappa)
        return jnp.where(flat, 1 - kappa, value - gap), jnp.where(flat, -1, slope)

    found = root(equation, start, start / 4, start * 4)
    return jnp.where(flat, jnp.finfo(gap.dtype).tiny, found)
