"""HalfNormal: the absolute value of a Normal of mean 0 with ``scale``."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ._family import Args, Family, Statistics, Ties, linked, own_scale, ratio


class HalfNormal(Family):
    """``log f = -x^2 / (2 scale^2) - log scale + log(2 / pi) / 2``: the root mean square."""

    distributions = (dist.HalfNormal,)
    domains = {"scale": "positive"}

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        # Twice, so that squares neither overflow nor vanish.
        largest = jnp.where(weights > 0, x, 0).max(-1)
        largest = jnp.where(largest > 0, largest, 1)
        square = (x / largest[:, None]) ** 2 @ weights / weights.sum()
        spread = linked(ties["scale"].groups, largest * jnp.sqrt(square))
        return {"spread": jnp.where(spread > 0, spread, 1)}

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return x / reference["spread"][:, None]

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return (u * u)[:, None]

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        constant = np.log(2 / np.pi) / 2 - jnp.log(reference["spread"])
        return jnp.broadcast_to(constant[:, None], x.shape)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        scale = args["scale"] / reference["spread"]
        return (-1 / (2 * scale**2))[..., None], jnp.log(scale)

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        tie, old, spread = ties["scale"], args["scale"], reference["spread"]
        square = ratio(tie.pool(stats.sums[..., 0]), tie.pool(stats.count), (old / spread) ** 2)
        return {"scale": tie.choose(spread * jnp.sqrt(square), old)}

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        return own_scale(args["scale"] / reference["spread"], ties["scale"])
