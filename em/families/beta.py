"""Beta and BetaProportion: x in (0, 1), a Dirichlet of two proportions."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ._family import Args, Statistics, Ties
from .dirichlet import Dirichlet as _Dirichlet
from .dirichlet import solve

NAMES = ("concentration1", "concentration0")


class Beta(_Dirichlet):
    """``log f = (a - 1) log x + (b - 1) log(1 - x) - log B(a, b)``; see Dirichlet."""

    distributions = (dist.Beta,)
    domains = {"concentration1": "positive", "concentration0": "positive"}
    rank = {}

    def admits(self, x: jax.Array) -> jax.Array:
        """Numbers strictly between 0 and 1: at the ends the density is 0 or infinite."""
        return (x > 0) & (x < 1)

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Both arguments shared by the same cells; a fixed one beside one that is not shared."""
        return aligned(*(ties[name] for name in NAMES))

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        fixed = np.stack([ties[name].fixed for name in NAMES], -1)
        tie = Ties(ties[NAMES[0]].sharing, fixed.all(-1))
        found = solve(stats, self._vector(args), tie, fixed, reference)
        return {name: found[..., i] for i, name in enumerate(NAMES)}

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return super().view(u[:, 0] - u[:, 1], known, weights, reference)

    def _log(self, x: jax.Array) -> jax.Array:
        return jnp.stack([jnp.log(x), jnp.log1p(-x)], 1)

    def _vector(self, args: Args) -> jax.Array:
        return jnp.stack([args[name] for name in NAMES], -1)


def aligned(one: Ties, zero: Ties) -> bool:
    """Whether the same cells share both of two arguments (a fixed one is shared with none)."""
    both = one.fixed & zero.fixed
    first, second = one.sharing[~both], zero.sharing[~both]
    pairs = set(zip(first, second, strict=True))
    return len(set(first)) == len(pairs) == len(set(second))


class BetaProportion(Beta):
    """A Beta with ``a = mean concentration``, ``b = (1 - mean) concentration``.

    It is read by a and b, which are functions of its parameters.
    """

    distributions = (dist.BetaProportion,)
