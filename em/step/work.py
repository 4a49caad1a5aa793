"""What a rung is given: a block of parameters, what is expected of them, and where to begin."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..plan.blocks import Block
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from .expectation import Expectation

INNER_STEPS = 10


class Work(NamedTuple):
    """The M-step of one block.

    ``params`` are all parameters, those of the block where it begins; ``expected`` the E-step's
    statistics and responsibilities of the ``rows``; ``inner`` bounds the steps of an optimiser.
    """

    program: Program
    block: Block
    expected: Expectation
    params: Params
    rows: Rows
    inner: jax.Array | int

    def rounds(self, at_first: int, later: int) -> jax.Array:
        """How often to take turns: the first M-step of a climb begins far away."""
        return jnp.where(jnp.asarray(self.inner) > INNER_STEPS, at_first, later)
