"""The objectives of climbs in single precision, worked out anew in double precision.

A density in single precision is off by what its parameters' condition makes of the last digit: a
covariance of condition 1e5 loses 1e-4 in every row, all of one sign, so that 1e6 rows lose 100.
Climbs do not mind, since it is nearly the same at every step; a number that is reported does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .calls.streams import Data
from .classes.assignments import Assign
from .climb.state import Outcome
from .plan.program import Params, Program
from .programs import prepare, program_for
from .rows.streamed import Streamed
from .step.objective import likelihoods_at, prior_at


def in_double(
    model: Callable,
    data: Data,
    first: Sequence[np.ndarray],
    gaps: bool,
    rows: Streamed,
    assign: Assign,
    outcome: Outcome,
) -> tuple[Outcome, np.ndarray]:
    """The climbs with the objectives that their parameters have in double precision.

    Their traces are moved along. Also (r,) the log-likelihoods there. ``first`` are the arrays of
    the first batch. It takes one pass, for hard assignment two.
    """
    with jax.enable_x64(True):
        dtypes = [np.dtype(float) if a.dtype.kind == "f" else a.dtype for a in first]
        call = data.call([a.astype(d) for a, d in zip(first, dtypes, strict=True)], gaps)
        program = program_for(model, call, rows.program.posterior)
        common, found = prepare(program, call.arrays)
        own = replace(
            rows,
            program=program,
            call=call,
            dtypes=dtypes,
            common=common,
            found=found,
            level=0.0,
            facts=None,
            progress=None,
        )
        places = [_place(program, outcome.params, i) for i in range(len(outcome.objective))]
        likelihoods = np.array(likelihoods_at(program, places, own, assign))
        values = likelihoods + [prior_at(program, p, own) for p in places]
        if assign.hard:
            likelihoods = np.array(likelihoods_at(program, places, own))
    moved = np.where(np.isfinite(values - outcome.objective), values - outcome.objective, 0)
    objective, trace = outcome.objective + moved, outcome.trace + moved[:, None]
    return outcome._replace(objective=objective, trace=trace), likelihoods


def _place(program: Program, params: dict[str, Any], number: int) -> Params:
    """One climb's parameters, with probabilities that sum to 1 to more digits."""
    place = {}
    for p in program.structure.free:
        value = np.asarray(params[p.name][number], float)
        if p.constraint == "simplex":
            value = value / value.sum(-1, keepdims=True)
        place[p.name] = jnp.asarray(value)
    return place
