"""Where two columns are normal or Student's t within a class: their ellipses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ...distributions import EigenNormal
from ...distributions.or_uniform import OrUniform
from ..machine.jit import quick_jit
from ..plan.program import Params
from ..read import layout
from ..read.latents import Level
from ..read.structure import Data
from .columns import Columns

if TYPE_CHECKING:
    from .result import Result


@dataclass(frozen=True, eq=False)
class Ellipses:
    """Where pairs of columns are normal or Student's t within each class.

    ``loc`` (k, d), ``matrix`` (k, d, d) the covariance or t's scale matrix, ``df`` (k, d) infinite
    for a normal, ``block`` (d,) the vector that a column is in. NaN where a column is neither.
    """

    loc: np.ndarray
    matrix: np.ndarray
    df: np.ndarray
    block: np.ndarray

    def of(self, component: int, i: int, j: int) -> tuple[np.ndarray, np.ndarray, float] | None:
        """loc (2,), matrix (2, 2) and df of a pair in a class; None where it has no ellipses."""
        df = self.df[component, [i, j]]
        together = self.block[i] == self.block[j] or bool(np.isinf(df).all())
        matrix = self.matrix[component][np.ix_([i, j], [i, j])]
        if not together or np.isnan(df).any() or not np.isfinite(matrix).all():
            return None
        return self.loc[component, [i, j]], matrix, float(df[0])


def ellipses(fit: Result, columns: Columns) -> Ellipses:
    """The ellipses of a fit's pairs of columns; none where they differ from row to row."""
    program, structure = fit.program, fit.program.structure
    level = structure.levels[columns.level]
    sites = dict.fromkeys(columns.sites)
    own = [d for d in structure.data if d.name in sites]

    def one(params: Params, component: jax.Array, arrays: tuple) -> list[tuple]:
        trace = program.run(params, arrays, component, level=columns.level)
        return [_ellipse(layout.family_of(trace[d.name]), level, d) for d in own]

    def of(params: Params, arrays: tuple) -> list[tuple]:
        numbers = jnp.arange(len(columns.classes))
        return jax.vmap(lambda j: one(params, j, arrays))(numbers)

    compiled = program.compiled(("ellipses of", columns.level), lambda: quick_jit(program, of))
    found = [[np.asarray(v, float) for v in part] for part in compiled(fit.free, fit.call.arrays)]
    k, d = len(columns.classes), len(columns.names)
    loc, df = np.full((k, d), np.nan), np.full((k, d), np.nan)
    matrix, block = np.zeros((k, d, d)), np.arange(d)
    start = 0
    for part_loc, part_matrix, part_df in found:  # (k, c, e), (k, c, e, e), (k, c)
        c, e = part_loc.shape[1:]
        for cell in range(c):
            inside = slice(start + cell * e, start + (cell + 1) * e)
            loc[:, inside], df[:, inside] = part_loc[:, cell], part_df[:, cell, None]
            matrix[:, inside, inside] = part_matrix[:, cell]
            block[inside] = start + cell * e
        start += c * e
    return Ellipses(loc, matrix, df, block)


def _ellipse(fn: Any, level: Level, data: Data) -> tuple[jax.Array, jax.Array, jax.Array]:
    """loc (c, e), matrix (c, e, e), df (c,) of a site."""
    none = jnp.full(data.shape[data.batch_rank + data.cell_rank :], jnp.nan)
    flat = jnp.ones(fn.batch_shape)
    noisy = isinstance(fn, OrUniform)
    noise, fn = (fn.uniform, fn.base_dist) if noisy else (False, fn)
    if isinstance(fn, (dist.MultivariateNormal, dist.LowRankMultivariateNormal, EigenNormal)):
        loc, matrix, df = fn.loc, fn.covariance_matrix, jnp.inf * flat
    elif isinstance(fn, dist.MultivariateStudentT):
        tril = fn.scale_tril
        loc, matrix, df = fn.loc, tril @ jnp.swapaxes(tril, -1, -2), fn.df * flat
    elif isinstance(fn, dist.Normal):
        loc, matrix, df = fn.loc * flat, (fn.scale * flat) ** 2, jnp.inf * flat
    elif isinstance(fn, dist.StudentT):
        loc, matrix, df = fn.loc * flat, (fn.scale * flat) ** 2, fn.df * flat
    else:
        loc = matrix = flat if data.event_rank == 0 else flat[..., None] * none
        df = jnp.nan * flat
        matrix = loc if data.event_rank == 0 else loc[..., None] * none
    df = jnp.where(noise, jnp.nan, df)
    parts = [
        layout.argument(jnp.asarray(value), level, data, rank)
        for value, rank in ((loc, data.event_rank), (matrix, 2 * data.event_rank), (df, 0))
    ]
    if any(len(part) > 1 for part in parts):
        parts = [jnp.nan * part[:1] for part in parts]
    loc, matrix, df = (part[0] for part in parts)
    if data.event_rank == 0:
        loc, matrix = loc[:, None], matrix[:, None, None]
    return loc, matrix, df
