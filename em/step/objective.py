"""What EM climbs: the log-likelihood of the rows, of what is beside them, and the log prior."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..classes.assignments import Assign
from ..classes.assignments.soft import Soft
from ..classes.posterior import posterior
from ..machine.jit import quick_jit
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..rows.over_rows import over_rows
from ..rows.streamed import Streamed, one_batch_of
from .expectation import Expectation, e_step
from .prior import log_prior

_SOFT = Soft()


def evaluate(program: Program, assign: Assign, params: Params, rows: Rows) -> Expectation:
    """The E-step, with the objective that is climbed: the log prior is added where asked for."""
    found = e_step(program, assign, params, rows)
    objective = found.objective + program.auxiliary(params, rows.arrays)
    if program.posterior:
        objective = objective + log_prior(program, params, rows.arrays)
    return found._replace(objective=objective)


def objective_at(program: Program, params: Params, rows: Rows | Streamed) -> float:
    """The objective of soft EM at some parameters, of all rows."""
    return likelihood_at(program, params, rows) + prior_at(program, params, rows)


def prior_at(program: Program, params: Params, rows: Rows | Streamed) -> float:
    """What the priors add to the objective."""
    if not program.posterior:
        return 0.0

    def prior(params: Params, rows: Rows) -> jax.Array:
        return log_prior(program, params, rows.arrays)

    compiled = program.compiled("log prior", lambda: quick_jit(program, prior))
    return float(compiled(params, one_batch_of(rows)))


def likelihood_at(program: Program, params: Params, rows: Rows | Streamed) -> float:
    """`log_likelihood`, of all batches if they are read one by one."""
    return likelihoods_at(program, [params], rows)[0]


def likelihoods_at(
    program: Program,
    places: Sequence[Params],
    rows: Rows | Streamed,
    assign: Assign = _SOFT,
) -> list[float]:
    """Those at several parameters, by one pass over rows that are read batch by batch."""
    of = partial(log_likelihood, program, assign=assign)
    compiled = program.compiled(("likelihood", assign), lambda: quick_jit(program, of))

    def every(places: Sequence[Params], rows: Rows) -> list[jax.Array]:
        return [compiled(params, rows) for params in places]

    found = [float(v) for v in over_rows(every, places, rows)]
    return [v + rows.base for v in found] if isinstance(rows, Streamed) else found


def log_likelihood(
    program: Program, params: Params, rows: Rows, assign: Assign = _SOFT
) -> jax.Array:
    """``sum_n w_n log p(x_n | params)``, and the log density of what is beside the rows.

    Of hard assignment the classification log-likelihood.
    """
    rest = program.auxiliary(params, rows.arrays)
    return e_step(program, assign, params, rows).objective + rest


class Own(NamedTuple):
    """The log-likelihood by NumPyro's own densities, and the sum of its terms' sizes."""

    value: float
    size: float

    def agrees(self, reported: float, dtype: np.dtype) -> bool:
        """Whether a reported log-likelihood is this one, but for rounding."""
        tolerance = 1e-6 if np.finfo(dtype).bits > 32 else 1e-4
        return bool(abs(reported - self.value) <= tolerance * self.size)


def own_log_likelihood(program: Program, params: Params, rows: Rows | Streamed) -> Own:
    """`log_likelihood` again, from the model's function replayed row by row."""

    def total(params: Params, weights: jax.Array, arrays: tuple) -> tuple[jax.Array, jax.Array]:
        found = posterior(program, params, arrays).log_density
        weights = program.structure.of_units(weights)
        terms = jnp.where(weights > 0, weights * found, 0)
        rest = program.auxiliary(params, arrays)
        return terms.sum() + rest, jnp.abs(terms).sum() + jnp.abs(rest) + 1

    compiled = program.compiled("own", lambda: quick_jit(program, total))

    def of(params: Params, rows: Rows) -> tuple[jax.Array, jax.Array]:
        return compiled(params, rows.weights, rows.arrays)

    return Own(*map(float, over_rows(of, params, rows)))
