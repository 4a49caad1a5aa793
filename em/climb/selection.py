"""Of several climbs, the one that the user gets: the highest that is sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..plan.blocks import FamilySite
from ..plan.chunks import Rows
from ..plan.program import Program
from .reach import felt
from .state import Outcome
from .status import Status
from .stopping import scale_floor

if TYPE_CHECKING:
    import pandas as pd

# A component is nearly singular if its smallest scale is this small a part of the data's ...
_SMALL_SCALE = 0.05
# ... while its rows are fewer than this many times the numbers they must determine.
_FEW_ROWS = 3.0
# Climbs whose classes' sizes differ by a smaller part of all rows are on their way to one optimum.
_APART = 0.01
# Ends of climbs to one optimum differ by less in double and in single precision.
SAME = {64: 1e-3, 32: 5e-2}


@dataclass(frozen=True, eq=False)
class Restarts:
    """All climbs: final objective, steps, status, and the smallest relative scale of each.

    ``ranking`` has them from the best to the worst; ``chosen`` is the first of those that differ
    from the best by rounding only. ``passed``: there would have been more starts, but another model
    is ahead (`studies/contenders.py`). ``cut_short``: a climb collapsed on a component of rows
    enough, which may have been on its way to an estimate; ``narrow``: no sound one is as high.
    ``short``: how much of its climb one may have left where it seems on its way to the chosen one.
    """

    objective: np.ndarray
    num_steps: np.ndarray
    status: np.ndarray
    smallest_scale: np.ndarray
    chosen: int
    ranking: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    passed: bool = False
    cut_short: bool = False
    narrow: bool = False
    short: np.ndarray | float = 0.0

    def found(self, tolerance: float) -> int:
        """How many starts ended where the chosen one did, but for so much of the objective.

        One that was stopped there, on its way, has found it too.
        """
        best = self.objective[self.chosen]
        there = np.isin(self.status, (self.status[self.chosen], Status.MAX_STEPS))
        same = there & np.isfinite(self.objective)
        below, short = best - self.objective[same], np.broadcast_to(self.short, same.shape)[same]
        return int(((below >= -tolerance) & (below <= tolerance + short)).sum())

    def fallen_above(self, tolerance: float) -> int:
        """How many climbs whose objective fell are higher than the chosen one by more than that."""
        above = self.objective > self.objective[self.chosen] + tolerance
        return int((above & (self.status == Status.LOWERED)).sum())

    def table(self) -> pd.DataFrame:
        """One row a start."""
        import pandas as pd

        return pd.DataFrame(
            {
                "objective": self.objective,
                "num_steps": self.num_steps,
                "status": [Status(int(c)).name for c in self.status],
                "smallest_scale": self.smallest_scale,
                "chosen": np.arange(len(self.status)) == self.chosen,
            }
        ).rename_axis("start")


def one_peak(objective: float) -> float:
    """How far apart rounding may leave two climbs to the same peak."""
    return 1e-7 * (1 + abs(objective))


def select(
    program: Program, rows: Rows, outcome: Outcome, scored_rows: float, short: float = 0.0
) -> Restarts:
    """Judge each climb and choose: sound ones first, then by objective.

    Some may have been stopped ``short`` of their ends by so much.
    """
    outcome = jax.tree.map(np.asarray, outcome)
    code, rank = judge(program, outcome, np)
    empty = outcome.counts @ _members(program) <= 1e-8 * scored_rows
    fine = np.isin(code, (Status.CONVERGED, Status.MAX_STEPS, Status.INTERRUPTED))
    for climb in np.nonzero(fine & empty.any(1))[0]:
        if _loses(program, rows, np.asarray(empty[climb])):
            code[climb] = Status.EMPTIED
    objective, steps = np.asarray(outcome.objective, float), np.asarray(outcome.steps)
    finite = np.where(np.isfinite(objective), objective, -np.inf)
    top = rank == rank.max()
    # Starts that reached the same peak differ by rounding: the first of them is taken.
    best = np.max(finite[top])
    chosen = int(np.argmax(top & (finite >= best - one_peak(best))))
    ranking = np.lexsort((-finite, -rank))
    smallest = np.asarray(outcome.relative_scale).min(1)
    many = _collapsed_on_many(program, outcome, code)
    told = many & np.isfinite(objective)
    return Restarts(
        objective,
        steps,
        code,
        smallest,
        chosen,
        ranking,
        # A start of a few rows makes no number at its first step; not all of them do.
        cut_short=bool(told.any() or many[chosen]),
        narrow=bool(told[chosen] or (objective[told] > best).any()),
        short=np.where(alike(outcome.counts, outcome.counts[chosen], scored_rows), short, 0.0),
    )


def alike(counts: Any, others: Any, scored_rows: float) -> np.ndarray:
    """(r,) whether the classes of climbs have the same sizes, in any order."""
    apart = np.abs(np.sort(counts, -1) - np.sort(others, -1)).max(-1)
    return apart <= _APART * scored_rows


def highest(program: Program, outcome: Outcome) -> jax.Array:
    """Which of several climbs `select` would choose (of equal ones any), where JAX traces."""
    _, rank = judge(program, outcome, jnp)
    finite = jnp.where(jnp.isfinite(outcome.objective), outcome.objective, -jnp.inf)
    return jnp.where(rank == rank.max(), finite, -jnp.inf).argmax()


def judge(program: Program, outcome: Outcome, xp: Any) -> tuple[Any, Any]:
    """(r,) the status of each climb, and its rank: 3 for sound ones, down to 0.

    A climb that ended on a nearly singular component of a few rows is a peak of an unbounded
    likelihood rather than an estimate (Day 1969, Biometrika 56:463; McLachlan & Peel 2000,
    section 3.10): it is named as such, and passed over if a sound one exists. ``xp`` is NumPy, or
    ``jax.numpy`` under a trace.
    """
    scale = outcome.relative_scale
    # Some scales are known at the end of a climb only, which ended as it could (`rows/scales.py`).
    gone = scale < scale_floor(scale.dtype)
    spurious = (gone | ((scale < _SMALL_SCALE) & _few(program, outcome))).any(1)
    fine = (outcome.code == Status.CONVERGED) | (outcome.code == Status.MAX_STEPS)
    fine |= outcome.code == Status.INTERRUPTED
    code = xp.where(fine & spurious, Status.NEARLY_SINGULAR, outcome.code)
    rank = xp.where(fine & ~spurious, 3, 0)
    rank = xp.where(code == Status.LOWERED, 2, rank)
    return code, xp.where(code == Status.NEARLY_SINGULAR, 1, rank)


def _collapsed_on_many(program: Program, outcome: Outcome, code: np.ndarray) -> np.ndarray:
    """(r,) whether a component without a width has rows enough for one."""
    scale = outcome.relative_scale
    gone = scale < scale_floor(scale.dtype)
    few = _few(program, outcome)
    # A climb whose next step made no number of a scale stays where it was. A component of few rows,
    # or of none, is what made none of it.
    before = (code == Status.COLLAPSED) & ~gone.any(1) & ~few.any(1)
    gone |= before[:, None] & (scale == scale.min(1, keepdims=True))
    return (gone & ~few).any(1)


def _members(program: Program) -> np.ndarray:
    """(k, classes) which components a class of the units is in."""
    components = np.arange(program.num_components)
    classes = program.structure.classes(components)
    return np.concatenate(
        [
            np.asarray(classes[z.name])[:, None] == np.arange(z.num_components)
            for z in program.structure.latents
            if z.level == 0
        ],
        1,
    )


def _loses(program: Program, rows: Rows, empty: np.ndarray) -> bool:
    """Whether classes without rows take a parameter along that no other class feels.

    In a mixture whose classes share all parameters (an abundance 0, 1, ..., M) none is lost.
    """
    reach = felt(program, rows.arrays)
    without = _members(program)[:, empty].any(1)
    return bool((reach[without].any(0) & ~reach[~without].any(0)).any())


def _few(program: Program, outcome: Outcome) -> Any:
    """(r, k) whether a component has too few rows for its numbers."""
    return outcome.counts < _FEW_ROWS * rows_needed(program)


def rows_needed(program: Program) -> float:
    """How many numbers one component's own parameters are: the rows they need at least."""
    sizes = [
        site.family.width(n, e.cells.shape)
        for site in program.statistical
        for n, e in site.entries.items()
        if e is not None
    ]
    # Of a density row by row: what its parameters are beside one scale.
    free = {p.name: p.size for p in program.structure.free}
    for site in program.sites:
        if not isinstance(site, FamilySite):
            own = sum(size for name, size in free.items() if name in site.depends)
            sizes.append(own // program.num_components - 1)
    return 1.0 + max([*sizes, 1])
