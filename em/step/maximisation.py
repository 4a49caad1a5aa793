"""The M-step: each block of parameters by its rung of the ladder."""

from __future__ import annotations

import jax

from ..plan.chunks import Rows
from ..plan.program import Params, Program
from .expectation import Expectation
from .quadratic import uphill
from .work import INNER_STEPS, Work

FIRST_STEPS = 100


def m_step(
    program: Program,
    expected: Expectation,
    params: Params,
    rows: Rows,
    inner: jax.Array | int = INNER_STEPS,
    reach: jax.Array | float = 1.0,
) -> Params:
    """Parameters that raise the expected complete-data log-likelihood, block by block.

    ``inner`` bounds the steps of the numeric rungs; those start from ``params`` and never lower
    the objective, so EM stays monotone however few they take. Where rows are read batch by batch
    their blocks go ``reach`` times a step of Newton's method, which only the next pass can judge.
    """
    new = dict(params)
    curved = expected.curvatures or {}
    for number, block in enumerate(program.blocks):
        if str(number) in curved:
            new.update(uphill(program, number, expected, params, rows, reach))
            continue
        # Priors may tie blocks together, so these take turns (ECM), which ascends all the same.
        begin = new if block.prior else params
        new.update(block.rung.maximise(Work(program, block, expected, begin, rows, inner)))
    return new
