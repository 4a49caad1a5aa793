"""Of several climbs, the one that the user gets: the highest that is sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .loop import Outcome
from .program import Program
from .status import Status

# A component is nearly singular if its smallest scale is this small a part of the data's ...
_SMALL_SCALE = 0.05
# ... while its rows are fewer than this many times the numbers they must determine.
_FEW_ROWS = 3.0


@dataclass(frozen=True, eq=False)
class Restarts:
    """All climbs: final objective, steps, status, and the smallest relative scale of each.

    ``ranking`` has them from the best to the worst; ``chosen`` is the first of those that differ
    from the best by rounding only.
    """

    objective: np.ndarray
    num_steps: np.ndarray
    status: np.ndarray
    smallest_scale: np.ndarray
    chosen: int
    ranking: np.ndarray = field(default_factory=lambda: np.zeros(0, int))


def select(program: Program, outcome: Outcome, scored_rows: float) -> Restarts:
    """Judge each climb and choose: sound ones first, then by objective."""
    outcome = jax.tree.map(np.asarray, outcome)
    code, rank = judge(program, outcome, scored_rows, np)
    objective, steps = np.asarray(outcome.objective, float), np.asarray(outcome.steps)
    finite = np.where(np.isfinite(objective), objective, -np.inf)
    top = rank == rank.max()
    # Starts that reached the same peak differ by rounding: the first of them is taken.
    best = np.max(finite[top])
    chosen = int(np.argmax(top & (finite >= best - 1e-7 * (1 + abs(best)))))
    ranking = np.lexsort((-finite, -rank))
    smallest = np.asarray(outcome.relative_scale).min(1)
    return Restarts(objective, steps, code, smallest, chosen, ranking)


def highest(program: Program, outcome: Outcome, scored_rows: jax.Array) -> jax.Array:
    """Which of several climbs `select` would choose (of equal ones any), where JAX traces."""
    _, rank = judge(program, outcome, scored_rows, jnp)
    finite = jnp.where(jnp.isfinite(outcome.objective), outcome.objective, -jnp.inf)
    return jnp.where(rank == rank.max(), finite, -jnp.inf).argmax()


def judge(program: Program, outcome: Outcome, scored_rows: Any, xp: Any) -> tuple[Any, Any]:
    """(r,) the status of each climb, and its rank: 3 for sound ones, down to 0.

    A climb that ended on a nearly singular component of a few rows is a peak of an unbounded
    likelihood rather than an estimate (Day 1969, Biometrika 56:463; McLachlan & Peel 2000,
    section 3.10): it is named as such, and passed over if a sound one exists. ``xp`` is NumPy, or
    ``jax.numpy`` under a trace.
    """
    code, counts = outcome.code, outcome.counts
    few = counts < _FEW_ROWS * rows_needed(program)
    spurious = ((outcome.relative_scale < _SMALL_SCALE) & few).any(1)
    empty = (class_counts(program, counts, xp) <= 1e-8 * scored_rows).any(1)
    fine = (code == Status.CONVERGED) | (code == Status.MAX_STEPS)
    named = xp.where(spurious, Status.NEARLY_SINGULAR, xp.where(empty, Status.EMPTIED, code))
    code = xp.where(fine, named, code)
    rank = xp.where(fine & ~spurious, 3, 0)
    rank = xp.where(code == Status.LOWERED, 2, rank)
    return code, xp.where(code == Status.NEARLY_SINGULAR, 1, rank)


def class_counts(program: Program, counts: Any, xp: Any) -> Any:
    """(r, classes) the rows of each class of the units, of several latents side by side."""
    components = np.arange(counts.shape[1])
    columns = []
    for latent in program.structure.latents:
        if latent.level == 0:
            with jax.ensure_compile_time_eval():
                classes = np.asarray(program.structure.classes(components)[latent.name])
            own = [counts[:, classes == j].sum(1) for j in range(latent.num_components)]
            columns.append(xp.stack(own, 1))
    return xp.concatenate(columns, 1)


def rows_needed(program: Program) -> float:
    """How many numbers one component's own parameters are: the rows they need at least."""
    sizes = [
        site.family.width(n, e.cells.shape)
        for site in program.statistical
        for n, e in site.entries.items()
        if e is not None
    ]
    return 1.0 + max(sizes, default=1)
