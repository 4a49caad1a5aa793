"""The rows' scores: what each row says of the parameters, and which of these nobody speaks of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun
from jax.flatten_util import ravel_pytree
from numpyro.ops.provenance import track_deps_jaxpr

from ..classes.posterior import posterior
from ..climb.engine import some
from ..machine.arrays import product
from ..machine.jit import every, quick_jit
from ..machine.traced import kind_of
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..read.edges import differentiable
from ..rows.over_rows import over_rows
from ..rows.streamed import Streamed

# The scores' Gram matrix, scaled to a unit diagonal, is taken for regular above this eigenvalue.
_CLEARLY = 1e-3
# So many sites may be looked at apart, if they have at most so many derivatives for each entry.
_MANY, _DEAR = 4, 4
# Of many more rows so many are looked at first: no direction that they see is flat for all.
_SOME = 1 << 14


def gram(program: Program, params: Params, rows: Rows | Streamed) -> np.ndarray:
    """(m, m) ``G = sum_n w_n s_n s_n'`` with the scores ``s_n = d log p(x_n) / du``.

    u are the unconstrained parameters. At a maximum of a well-specified model G is close to the
    information, whose two sides it makes up in the sandwich (White 1982, Econometrica 50:1). A
    row of weight w counts as w rows; observations beside the rows are rows too, and so is a factor.
    """
    apart = None
    if isinstance(rows, Rows) and _may_lie_apart(program):
        apart = program.compiled("sites apart", lambda: _apart(program, params, rows.arrays))

    def of(params: Params, rows: Rows) -> jax.Array:
        return _gram(program, params, rows, apart)

    passes = apart.passes if apart else sum(p.size for p in program.structure.free)
    compiled = program.compiled("gram", lambda: quick_jit(program, of, 2 * passes))
    return np.asarray(over_rows(compiled, params, rows), float)


def _gram(program: Program, params: Params, rows: Rows, apart: _Apart | None) -> jax.Array:
    # A row of weight 0 may have no density at all.
    own = program.structure.of_units(rows.weights)
    weights = jnp.concatenate([own, program.beside(params, rows.arrays)[1]])
    weights = jnp.sqrt(weights)
    found = _one_by_one if apart is None else apart.scores
    scores = found(program, params, rows.arrays)
    weighted = jnp.where(weights > 0, scores * weights, 0)
    return product(weighted, weighted.T)


def _one_by_one(program: Program, params: Params, arrays: tuple) -> jax.Array:
    """(m, n) the scores, entry by entry of the parameters."""
    start, unravel = ravel_pytree(program.unconstrain(params, arrays))

    def log_density(vector: jax.Array) -> jax.Array:
        new = program.constrain(unravel(vector), params, arrays)
        own = posterior(program, new, arrays).log_density
        return jnp.concatenate([own, program.beside(new, arrays)[0]])

    def along(direction: jax.Array) -> jax.Array:
        return jax.jvp(log_density, (start,), (direction,))[1]

    return every(program, start.size)(along)(jnp.eye(start.size, dtype=start.dtype))


@dataclass(frozen=True)
class _Apart:
    """The log densities of many sites, of which each feels few of the parameters.

    ``log_densities(u, params, arrays)`` are (k, n) of every site, and of the classes' prior;
    ``owners`` (passes, sites) the entry of u that each feels when entries that no two sites share
    move at once, in so many passes; -1 for none.
    """

    log_densities: Callable[..., list[jax.Array]]
    owners: np.ndarray

    @property
    def passes(self) -> int:
        """How many times all densities are differentiated."""
        return len(self.owners)

    def scores(self, program: Program, params: Params, arrays: tuple) -> jax.Array:
        """(m, n) the scores ``sum_k p(k | x_n) d log p(x_n, k) / du`` (Fisher's identity).

        See Louis (1982, JRSS-B 44:226).
        """
        start, unravel = ravel_pytree(program.unconstrain(params, arrays))
        classes = posterior(program, params, arrays).units

        def along(direction: jax.Array) -> jax.Array:
            def of(vector: jax.Array) -> list[jax.Array]:
                return self.log_densities(unravel(vector), params, arrays)

            slopes = jax.jvp(of, (start,), (direction,))[1]
            return jnp.stack([jnp.where(classes > 0, classes * s, 0).sum(0) for s in slopes])

        places = np.arange(start.size)
        moved = np.array([np.isin(places, own) for own in self.owners], start.dtype)
        found = every(program, self.passes)(along)(jnp.asarray(moved))
        by_owner = found.reshape(self.owners.size, -1)
        # What nobody owns comes last, and goes.
        owner = np.where(self.owners < 0, start.size, self.owners).ravel()
        return jax.ops.segment_sum(by_owner, owner, start.size + 1)[: start.size]


def _may_lie_apart(program: Program) -> bool:
    structure = program.structure
    alone = len(structure.levels) == 1 and structure.chain is None and not structure.auxiliary
    many = len(structure.data) >= _MANY and bool(structure.free)
    return alone and many and program.shards is None


def _apart(program: Program, params: Params, arrays: tuple) -> _Apart | None:
    """None where that would take more than going through the parameters one by one."""
    names = tuple(d.name for d in program.structure.data)

    def log_densities(moved: Params, params: Params, arrays: tuple) -> list[jax.Array]:
        new = program.constrain(moved, params, arrays)

        def of(k: jax.Array) -> dict[str, jax.Array]:
            return differentiable(lambda p: program.densities(p, k, arrays, names), new)

        by_site = jax.vmap(of)(jnp.arange(program.num_components))
        prior = program.log_weights(new, arrays)
        shape = (program.num_components, program.num_rows)
        prior = jnp.broadcast_to(prior if prior.ndim == 2 else prior[:, None], shape)
        return [*(by_site[n] for n in names), prior]

    given = (program.unconstrain(params, arrays), params, arrays)
    kinds = jax.tree.map(kind_of, given)
    closed, shapes = jax.make_jaxpr(log_densities, return_shape=True)(*kinds)
    of_leaf = [frozenset([n]) for n in sorted(given[0])]
    of_leaf += [frozenset()] * (len(closed.jaxpr.invars) - len(of_leaf))
    felt = track_deps_jaxpr(closed.jaxpr, of_leaf)
    sizes = {n: int(np.size(given[0][n])) for n in sorted(given[0])}
    owners = _owners(sizes, felt)
    if owners.size > _DEAR * sum(sizes.values()):
        return None
    run, tree = jaxpr_as_fun(closed), jax.tree.structure(shapes)
    return _Apart(lambda *args: jax.tree.unflatten(tree, run(*jax.tree.leaves(args))), owners)


def _owners(sizes: Mapping[str, int], felt: Sequence[frozenset[str]]) -> np.ndarray:
    """(passes, sites) entries in one flat vector, of parameters that sites feel."""
    start = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
    groups: list[np.ndarray] = []
    for name in sorted(sizes, key=lambda n: -sizes[n]):
        own = np.array([name in f for f in felt])
        free = (g for g in groups if (g[:, own] < 0).all())
        group = next(free, None)
        if group is None:
            groups.append(group := np.full((sizes[name], len(felt)), -1))
        group[: sizes[name], own] = start[name] + np.arange(sizes[name])[:, None]
    return np.concatenate(groups) if groups else np.zeros((0, len(felt)), int)


def scaling(matrix: np.ndarray) -> np.ndarray:
    """Factors that give a Gram or information matrix a unit diagonal: units do not matter."""
    diagonal = np.diagonal(matrix)
    # An entry without any information of its own is a flat direction by itself. The rounding of a
    # score leaves eps squared; units may be many powers of ten apart.
    floor = float(diagonal.max(initial=0.0)) * np.finfo(float).eps ** 1.5
    floor = max(floor, np.finfo(float).tiny)
    return 1 / np.sqrt(np.maximum(diagonal, floor))


def identified_by_some(program: Program, params: Params, rows: Rows | Streamed) -> bool | None:
    """Whether some of very many rows are enough to tell (`clearly_identified`); None of fewer."""
    few = some(program, rows, _SOME) if isinstance(rows, Rows) else None
    return None if few is None else clearly_identified(gram(few[0], params, few[1]))


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
