"""Parameters as one unconstrained vector, in which accelerated climbs move."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from ..plan.chunks import Rows
from ..plan.program import Params, Program
from .boundary import BOUNDED, POSITIVE, inside

_UNITLESS = BOUNDED | POSITIVE | {"zerosum", "rotation"}


class Coordinates(NamedTuple):
    """Parameters as one unconstrained ``vector`` (m,), and the way ``back``.

    ``unitless`` (m,) marks logarithms and logits, ``limit`` (m,) says how far they may go.
    """

    vector: jax.Array
    back: Callable[[jax.Array], Params]
    unitless: jax.Array
    limit: jax.Array


def coordinates(program: Program, params: Params, rows: Rows) -> Coordinates:
    """The coordinates of parameters, a hair inside of their supports."""
    # A probability of exactly 0 has no logit; one of 1e-77 does, and makes no difference.
    tiny = float(jnp.finfo(rows.weights.dtype).tiny) ** 0.25
    params = inside(program, params, tiny)
    values = program.unconstrain(params, rows.arrays)
    vector, unravel = ravel_pytree(values)
    free = {p.name: p.constraint in _UNITLESS for p in program.structure.free}
    numeric = {n for b in program.blocks if not b.rung.closed for n in b.parameters}

    def back(vector: jax.Array) -> Params:
        return program.constrain(unravel(vector), params, rows.arrays)

    unitless = ravel_pytree({n: jnp.full(v.shape, free[n]) for n, v in values.items()})[0]
    limit = ravel_pytree(
        {
            n: jnp.full_like(v, program.limit(n, rows) if n in numeric else jnp.inf)
            for n, v in values.items()
        }
    )[0]
    return Coordinates(vector, back, unitless, limit)
