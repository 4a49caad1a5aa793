"""UnitNormal: normals of standard deviation 1, as k-means has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ... import distributions
from ._family import Args, Statistics, Ties
from .normal import Normal


class UnitNormal(Normal):
    """``log f = -(x - loc)^2 / 2 - log(2 pi) / 2``: a `Normal` whose scale is 1 everywhere."""

    distributions: ClassVar[tuple[type[dist.Distribution], ...]] = (distributions.UnitNormal,)
    domains = {"loc": "real"}

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return super().reference(x, weights, args, _ties(ties))

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        return super().natural(_args(args), reference)

    def num_own(self, ties: Mapping[str, Ties], size: int) -> int | None:
        return 1

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        return {"loc": super().estimate(stats, _args(args), _ties(ties), reference)["loc"]}

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        return super().pseudo(name, terms, _args(args), reference)

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        return None


def _args(args: Args) -> Args:
    return {**args, "scale": jnp.ones_like(args["loc"])}


def _ties(ties: Mapping[str, Ties]) -> dict[str, Ties]:
    """The scale's too: given, one for all, so that columns keep the sizes that they have."""
    shape = ties["loc"].groups.shape
    return {**ties, "scale": Ties(np.zeros(shape, int), np.ones(shape, bool))}
