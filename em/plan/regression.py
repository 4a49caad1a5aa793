"""Is the mean of a normal site linear in covariates? Found by differentiating, not by reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ..machine.jit import once_jit
from ..read import layout
from ..read.structure import Data

if TYPE_CHECKING:
    from ..calls.call import Call
    from ..read.reader import Params, Reader

_MAX_ENTRIES = 1024
_CHECKS = 3


@dataclass(frozen=True, eq=False)
class Linear:
    """``loc[n] = offset[n] + design[:, n] . coefficients[z[n]]``.

    ``columns`` (k, p): which entry of all parameters, in one flat vector, each coefficient is.
    ``unseen`` (k, P): where these rows do not feel some entry that the mean depends on, those that
    they do: a covariate that is 0 in all of them is none in others.
    """

    columns: np.ndarray
    unseen: np.ndarray | None = None

    def holds(self, program: Reader, call: Call, data: Data) -> bool:
        """Whether the mean is as linear in other data."""
        if self.unseen is None:
            return True
        vector = np.full(self.unseen.shape[1], 0.5, layout.float_type())
        return np.array_equal(_probe(program, call, data, vector)[0], self.unseen)


def find_linear(
    program: Reader, call: Call, data: Data, varying: set[str], reached: frozenset[str]
) -> Linear | None:
    """How a site's mean is linear in parameters with row-dependent factors, if it is.

    ``reached`` are the parameters that the mean depends on. The Jacobian of the mean is reduced to
    a few numbers for each parameter entry and component: is it 0, and its products with fixed
    random vectors. Linear means that these do not change with the parameters; one design serves all
    components if their columns have equal products.
    """
    if data.distribution is not dist.Normal or varying != {"loc"}:
        return None
    free = program.structure.free
    width = sum(int(np.prod(p.shape)) for p in free)
    if not width or width > _MAX_ENTRIES or data.event_rank or _cells(program, data) != 1:
        return None
    rng = np.random.default_rng(5)
    vectors = [rng.uniform(0.2, 0.8, width).astype(layout.float_type()) for _ in range(_CHECKS)]
    found = [jax.tree.map(np.asarray, _probe(program, call, data, v)) for v in vectors]
    active, products, offset, scale = found[0]
    if not all(np.isfinite(products).ravel()) or not np.isfinite(offset).all():
        return None
    tolerance = 1e-9 if jnp.finfo(products.dtype).bits > 32 else 1e-4
    size = np.abs(scale).max() + np.abs(products).max()
    for other in found[1:]:
        same = np.array_equal(other[0], active)
        same &= np.allclose(other[1], products, rtol=tolerance, atol=tolerance * size)
        same &= np.allclose(other[2], offset, rtol=tolerance, atol=tolerance * size)
        if not same:
            return None
    numbers = active.sum(1)  # (k,) coefficients of each component
    if numbers.min() != numbers.max() or numbers.max() == 0:
        return None
    if not np.allclose(offset, offset[:1], rtol=tolerance, atol=tolerance * size):
        return None
    columns = np.stack([np.nonzero(row)[0] for row in active])
    own = np.stack([products[j, columns[j]] for j in range(len(columns))])
    if not np.allclose(own, own[:1], rtol=tolerance, atol=tolerance * size):
        return None
    known = np.concatenate([np.full(int(np.prod(p.shape)), p.name in reached) for p in free])
    return Linear(columns, active if (known & ~active.any(0)).any() else None)


def _cells(program: Reader, data: Data) -> int:
    return layout.num_cells(program.structure.level_of(data), data)


def _mean(program: Reader, data: Data, params: Params, arrays: tuple) -> jax.Array:
    """(k, n) the mean of the site in every component."""

    def one(component: jax.Array) -> jax.Array:
        trace = program.run(params, arrays, component, level=data.level)
        rows = program.structure.level_of(data)
        loc = layout.argument(layout.family_of(trace[data.name]).loc, rows, data, 0)[:, 0]
        return jnp.broadcast_to(loc, (rows.num_rows,))

    return jax.vmap(one)(jnp.arange(program.structure.num_components(data.level)))


def _probe(program: Reader, call: Call, data: Data, vector: np.ndarray) -> tuple:
    """At one parameter vector: (k, P) active entries, (k, P, 2) products, (k, 2) offset, size."""
    rng = np.random.default_rng(6)
    rows = program.structure.level_of(data).num_rows
    marks = rng.uniform(0.5, 1.5, (rows, 2)) / rows

    def evaluate(vector: jax.Array, arrays: tuple) -> tuple:
        def mean(vector: jax.Array) -> jax.Array:
            return _mean(program, data, program.unflatten(vector), arrays)

        def along(direction: jax.Array) -> tuple[jax.Array, jax.Array]:
            slope = jax.jvp(mean, (vector,), (direction,))[1]
            return (slope != 0).any(1), slope @ jnp.asarray(marks, slope.dtype)

        active, products = jax.lax.map(along, jnp.eye(vector.size, dtype=vector.dtype))
        value = mean(vector)
        total = value @ jnp.asarray(marks, value.dtype)
        offset = total - jnp.einsum("pkm,p->km", products, vector)
        return active.T, jnp.moveaxis(products, 0, 1), offset, jnp.abs(total)

    compiled = program.compiled(("linear", data.name), lambda: once_jit(program, evaluate))
    return compiled(jnp.asarray(vector), call.arrays)


def design(
    program: Reader, data: Data, linear: Linear, arrays: tuple
) -> tuple[jax.Array, jax.Array]:
    """The design (p, n) and the offset (n,) of a linear site."""

    def mean(vector: jax.Array) -> jax.Array:
        return _mean(program, data, program.unflatten(vector), arrays)[0]

    width = sum(int(np.prod(p.shape)) for p in program.structure.free)
    start = jnp.full((width,), 0.5, layout.float_type())
    directions = np.zeros((linear.columns.shape[1], width))
    directions[np.arange(len(directions)), linear.columns[0]] = 1
    value, slope = jax.linearize(mean, start)
    columns = jax.lax.map(slope, jnp.asarray(directions, start.dtype))
    return columns, value - 0.5 * columns.sum(0)


def coefficients(program: Reader, linear: Linear, params: Mapping[str, jax.Array]) -> jax.Array:
    """(k, p) the coefficients of every component."""
    flat = jnp.concatenate([jnp.ravel(params[p.name]) for p in program.structure.free])
    return flat[linear.columns]
