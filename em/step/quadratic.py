"""What EM's Q is like around some parameters, as sums over rows: for M-steps that see no rows."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..plan.blocks import Block
from ..plan.chunks import Rows
from ..plan.program import Params, Program, by_row
from .expectation import Expectation
from .expected import expected_log_likelihood
from .prior import log_prior

# No logarithm or logit moves farther at once, and curvatures this much smaller than the largest
# count as that much.
_FARTHEST, _FLATTEST = 5.0, 1e-9


class Coordinates(NamedTuple):
    """A block's unconstrained parameters as ``point`` (c, m): a row for each separate part."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    point: jax.Array

    def unpacked(self, point: jax.Array) -> Params:
        """{parameter: unconstrained value} of such a matrix."""
        sizes = [int(np.prod(s)) // len(point) for s in self.shapes]
        parts = jnp.split(point, np.cumsum(sizes)[:-1], 1)
        return {n: p.reshape(s) for n, s, p in zip(self.names, self.shapes, parts, strict=True)}


def coordinates_of(program: Program, block: Block, params: Params, rows: Rows) -> Coordinates:
    """Those of a block; its separate parts are its components', where these share nothing."""
    values = program.unconstrain(params, rows.arrays, block.parameters)
    count = program.num_components if block.separable else 1
    point = jnp.concatenate([v.reshape(count, -1) for v in values.values()], 1)
    return Coordinates(tuple(values), tuple(v.shape for v in values.values()), point)


def without_statistics(program: Program) -> tuple[int, ...]:
    """The numbers of the blocks whose M-step needs more of rows than additive statistics."""
    found = []
    for number, block in enumerate(program.blocks):
        own = [s for s in (*program.priors, *program.sites) if s.name in block.sites]
        if block.rung.rowwise or any(by_row(program, s) for s in own):
            found.append(number)
    return tuple(found)


def dimensions(program: Program, block: Block) -> int:
    """How many parameters of a block have to be looked at together, about."""
    sizes = {p.name: p.size for p in program.structure.free}
    total = sum(sizes[n] for n in block.parameters)
    return total // program.num_components if block.separable else total


def with_quadratics(
    program: Program, expected: Expectation, params: Params, rows: Rows, numbers: tuple[int, ...]
) -> Expectation:
    """An E-step at ``params`` with the slopes and curvatures of its Q for blocks of these numbers.

    ``slopes`` are derivatives by the parameters themselves, ``curvatures`` (c, m, m) second ones in
    the block's coordinates. Both are sums over rows, which others' may be added to.
    """
    slopes: dict[str, jax.Array] = {}
    curvatures: dict[str, jax.Array] = {}
    for number in numbers:
        block = program.blocks[number]
        objective = expected_log_likelihood(program, block, expected, rows)
        found = jax.grad(objective)(params)
        slopes |= {n: found[n] for n in block.parameters}
        here = coordinates_of(program, block, params, rows)

        def climbed(point: jax.Array, here=here, objective=objective) -> jax.Array:  # type: ignore[no-untyped-def]
            return objective(program.constrain(here.unpacked(point), params, rows.arrays))

        # In a block of separate parts one coordinate of each moves at once.
        _, along = jax.linearize(jax.grad(climbed), here.point)
        axes = jnp.eye(here.point.shape[1], dtype=here.point.dtype)
        directions = jnp.broadcast_to(axes[:, None], (len(axes), *here.point.shape))
        curvatures[str(number)] = jnp.moveaxis(jax.lax.map(along, directions), 0, -1)
    return expected._replace(slopes=slopes, curvatures=curvatures)


def uphill(
    program: Program,
    number: int,
    expected: Expectation,
    params: Params,
    rows: Rows,
    reach: jax.Array | float,
) -> Params:
    """A block's parameters after ``reach`` times Newton's step on Q at ``params``.

    One such step is all that EM needs to converge as fast as it does (Lange 1995, "A gradient
    algorithm locally equivalent to the EM algorithm", JRSS-B 57:425). Where Q is not concave the
    step follows ``|H|``; it ascends if it is short enough, which only the next pass can tell.
    """
    block = program.blocks[number]
    assert expected.slopes is not None
    assert expected.curvatures is not None
    here = coordinates_of(program, block, params, rows)

    def constrained(point: jax.Array) -> Params:
        new = program.constrain(here.unpacked(point), params, rows.arrays)
        return {n: new[n] for n in block.parameters}

    slopes = {n: expected.slopes[n] for n in block.parameters}
    gradient = jax.vjp(constrained, here.point)[1](slopes)[0]
    hessian = expected.curvatures[str(number)]
    if block.prior:  # then there are no separate parts

        def prior(point: jax.Array) -> jax.Array:
            return log_prior(program, params | constrained(point), rows.arrays)

        gradient = gradient + jax.grad(prior)(here.point)
        hessian = hessian + jax.hessian(prior)(here.point)[0, :, 0]
    limit = _limits(program, here, rows)
    point = here.point
    outwards = (jnp.abs(point) >= limit) & (gradient * point > 0)
    gradient = jnp.where(outwards, 0, jnp.nan_to_num(gradient))
    hessian = jnp.where(outwards[:, None] | outwards[..., None], 0, jnp.nan_to_num(hessian))
    curvature, vectors = jnp.linalg.eigh((hessian + hessian.mT) / 2)
    size = jnp.abs(curvature)
    tiny = jnp.finfo(size.dtype).tiny
    size = jnp.maximum(size, size.max(-1, keepdims=True) * _FLATTEST + tiny)
    along_axes = jnp.einsum("cij,ci->cj", vectors, gradient, precision="highest") / size
    direction = jnp.einsum("cij,cj->ci", vectors, along_axes, precision="highest")
    unitless = jnp.isfinite(limit)
    longest = jnp.where(unitless, jnp.abs(direction), 0).max(-1, keepdims=True)
    direction = direction * jnp.minimum(1, _FARTHEST / jnp.maximum(longest, tiny))
    new = constrained(jnp.clip(point + reach * direction, -limit, limit))
    most = program.ceiling(point.dtype)
    return {n: jnp.minimum(v, most[n]).astype(params[n].dtype) for n, v in new.items()}


def _limits(program: Program, here: Coordinates, rows: Rows) -> jax.Array:
    """(c, m) how far coordinates may go, but for those that begin farther away."""
    count = len(here.point)
    limits = [
        jnp.broadcast_to(program.limit(name, rows), (count, int(np.prod(shape)) // count))
        for name, shape in zip(here.names, here.shapes, strict=True)
    ]
    limit = jnp.concatenate(limits, 1).astype(here.point.dtype)
    return jnp.maximum(limit, jnp.abs(here.point))
