"""Families without finite statistics: their M-step sees the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from ._family import Args, Family, Ties, linked


class RowFamily(Family):
    """A family whose log density is no linear function of finitely many features of a row.

    The E-step takes NumPyro's own density, or the family's where it ``scores``. The M-step may
    stop short of the maximum (a conditional maximisation, a few steps of Newton's method), but
    never goes down.
    """

    closed = False
    scores: ClassVar[bool] = False
    smooth: ClassVar[bool] = True  # in its arguments; else only `improve` finds the maximum

    def log_density(self, u: jax.Array, known: Args, args: Args, reference: Args) -> jax.Array:
        """The log density (k, c, n) of rows, without `base`; more exact than NumPyro's."""
        raise NotImplementedError

    def improve(
        self,
        u: jax.Array,
        weights: jax.Array,
        known: Args,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> dict[str, jax.Array]:
        """Arguments (k, c, ...) whose ``sum_n w_kcn log f(x_cn)`` is no lower than before.

        ``u`` (c, event..., n) are the coordinates of the rows, ``weights`` (k, c, n) their
        responsibilities times row weights (c may be 1), ``known`` {argument: (c, n)}.
        """
        raise NotImplementedError

    def limits(self, dtype: jnp.dtype) -> Mapping[str, float]:
        """How far arguments go whose likelihood may keep rising towards infinity.

        Minus infinity where an argument always is at an edge, so that no curvature holds it.
        """
        return {}


def moments(x: jax.Array, weights: jax.Array, ties: Mapping[str, Ties]) -> Args:
    """Centre and spread (c, ...) of data (c, ..., n), shared by the cells that share arguments."""
    groups = np.concatenate([tie.groups for tie in ties.values()])
    total = weights.sum()
    centre = linked(groups, x @ weights / total)
    square = (x - centre[..., None]) ** 2 @ weights / total
    spread = jnp.sqrt(linked(groups, square))
    return {"centre": centre, "spread": jnp.where(spread > 0, spread, 1)}
