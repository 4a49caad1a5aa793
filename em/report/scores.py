"""The rows' scores: what each row says of the parameters, and which of these nobody speaks of."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ..classes.posterior import posterior
from ..machine.jit import every, quick_jit
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..rows.over_rows import over_rows
from ..rows.streamed import Streamed

# The scores' Gram matrix, scaled to a unit diagonal, is taken for regular above this eigenvalue.
_CLEARLY = 1e-3


def gram(program: Program, params: Params, rows: Rows | Streamed) -> np.ndarray:
    """(m, m) ``G = sum_n w_n s_n s_n'`` with the scores ``s_n = d log p(x_n) / du``.

    u are the unconstrained parameters. At a maximum of a well-specified model G is close to the
    information, whose two sides it makes up in the sandwich (White 1982, Econometrica 50:1). A
    row of weight w counts as w rows; observations beside the rows are rows too, and so is a factor.
    """

    def of(params: Params, rows: Rows) -> jax.Array:
        return _gram(program, params, rows)

    size = sum(p.size for p in program.structure.free)
    compiled = program.compiled("gram", lambda: quick_jit(program, of, 2 * size))
    return np.asarray(over_rows(compiled, params, rows), float)


def _gram(program: Program, params: Params, rows: Rows) -> jax.Array:
    names = tuple(p.name for p in program.structure.free)
    start, unravel = ravel_pytree(program.unconstrain(params, rows.arrays, names))

    def log_density(vector: jax.Array) -> jax.Array:
        new = program.constrain(unravel(vector), params, rows.arrays)
        own = posterior(program, new, rows.arrays).log_density
        return jnp.concatenate([own, program.beside(new, rows.arrays)[0]])

    def along(direction: jax.Array) -> jax.Array:
        return jax.jvp(log_density, (start,), (direction,))[1]

    # A row of weight 0 may have no density at all.
    own = program.structure.of_units(rows.weights)
    weights = jnp.concatenate([own, program.beside(params, rows.arrays)[1]])
    weights = jnp.sqrt(weights)
    scores = every(program, start.size)(along)(jnp.eye(start.size, dtype=start.dtype))
    weighted = jnp.where(weights > 0, scores * weights, 0)
    return jnp.matmul(weighted, weighted.T, precision="highest")


def scaling(matrix: np.ndarray) -> np.ndarray:
    """Factors that give a Gram or information matrix a unit diagonal: units do not matter."""
    diagonal = np.diagonal(matrix)
    # An entry without any information of its own is a flat direction by itself. The rounding of a
    # score leaves eps squared; units may be many powers of ten apart.
    floor = float(diagonal.max(initial=0.0)) * np.finfo(float).eps ** 1.5
    floor = max(floor, np.finfo(float).tiny)
    return 1 / np.sqrt(np.maximum(diagonal, floor))


def clearly_identified(matrix: np.ndarray) -> bool:
    """Whether in every direction some row's score is far from 0, so that no direction is flat.

    This takes first derivatives only. Where it does not hold, the information has to decide: with
    fewer rows than parameters, say, or at the boundary.
    """
    if not np.isfinite(matrix).all():
        return False
    factor = scaling(matrix)
    smallest = np.linalg.eigvalsh(matrix * factor[:, None] * factor).min(initial=1.0)
    return bool(smallest > _CLEARLY)
