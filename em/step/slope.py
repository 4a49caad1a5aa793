"""The gradient of what EM climbs, by what an E-step has found already."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..plan.chunks import Rows
from ..plan.program import Params, Program
from .expectation import Expectation
from .expected import expected_log_likelihood
from .prior import log_prior


def slope_of(program: Program, params: Params, expected: Expectation, rows: Rows) -> Params:
    """The gradient of the objective at the parameters of an E-step, by its statistics alone.

    Fisher's identity: it is that of EM's Q there, in whose part each block's own parameters enter
    (Louis 1982, JRSS-B 44:226).
    """
    known = expected.slopes or {}
    slope = jax.tree.map(jnp.zeros_like, params) | known
    for block in program.blocks:
        if not block.hyper and not known.keys() >= set(block.parameters):
            found = jax.grad(expected_log_likelihood(program, block, expected, rows))(params)
            slope |= {n: found[n] for n in block.parameters}
    if program.posterior:
        prior = jax.grad(lambda p: log_prior(program, p, rows.arrays))(params)
        slope = {n: v + prior[n] for n, v in slope.items()}
    return slope
