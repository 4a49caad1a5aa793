"""Climbs in single precision, ended or at least worked out anew in double precision.

A density in single precision is off by what its parameters' condition makes of the last digit: a
covariance of condition 1e5 loses 1e-4 in every row, all of one sign, so that 1e6 rows lose 100.
A number that is reported is wrong by as much, and the climb ends at the top of another function.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .calls.call import Call
from .calls.streams import Data
from .classes.assignments import Assign
from .climb.ascent import Ascent
from .climb.search import climb_all
from .climb.selection import Restarts, alike
from .climb.state import Outcome
from .climb.status import Status
from .climb.stopping import worst_of_total
from .machine.jit import NEVER
from .plan.chunks import Rows
from .plan.program import Params, Program
from .programs import prepare, program_for
from .report.fit import Fit, from_outcome
from .rows.streamed import Streamed
from .step.objective import likelihoods_at, objective_at, prior_at

# Rounding that may cost less than so much of the objective is left as it is, or that made it fall
# by less than so much (or than it may cost); or that may cost less than this, where a climb took so
# many steps: on a flat ridge it hides all that a step gains long before the top.
_COARSE, _FALL, _RIDGE, _LONG = 0.5, 0.02, 0.02, 100
# Rows of so many bytes are not held twice more.
_ROOM = 1 << 30
# So many climbs are ended in double precision.
_MOST = 3


class Doubled(NamedTuple):
    """A run in double precision: its program, call and rows, what the checks saw, its climbs."""

    program: Program
    call: Call
    rows: Rows
    found: dict[str, Any]
    outcome: Outcome
    restarts: Restarts


def fit_of(
    call: Call,
    ascent: Ascent,
    found: dict[str, Any],
    outcome: Outcome,
    restarts: Restarts,
    look: bool,
) -> Fit:
    """The fit of climbs that have ended, in single precision where it costs the user little.

    Where rounding has made a climb fall by more than that of a sum, or its end differ from
    NumPyro's own log-likelihood there (classes that share a scale and lie hundreds of it apart),
    all are made anew in double precision, as where some collapsed on many rows (single precision
    has digits for scales down to a thousandth of the data's only); where only the sum over many
    rows is coarse, the best go on from where they are. The status is then found in double precision
    too, and the numbers of the fit are in single precision again.
    """
    own = ascent.program, call, ascent.rows, found
    doubled = _doubled(call, ascent, outcome, restarts)
    if doubled is None:
        fit = from_outcome(*own, outcome, restarts, ascent.way.assign.hard, look)
        if fit.base_status is Status.MISREAD:
            doubled = _doubled(call, ascent, outcome, restarts, broken=True)
        if doubled is None:
            return fit
    if restarts.cut_short and not _holds_in_single(doubled):
        restarts = replace(restarts, narrow=True)
        return from_outcome(*own, outcome, restarts, ascent.way.assign.hard, look)
    with jax.enable_x64(True):
        fit = from_outcome(*doubled, hard=False, look=look)
        doubled.restarts.status[doubled.restarts.chosen] = fit.status
    params, counts = _single(doubled.outcome.params), _single(doubled.outcome.counts)
    outcome = doubled.outcome._replace(params=params, counts=counts)
    likelihood = fit.log_likelihood
    return from_outcome(*own, outcome, doubled.restarts, False, False, likelihood)


def _doubled(
    call: Call, ascent: Ascent, outcome: Outcome, restarts: Restarts, broken: bool = False
) -> Doubled | None:
    """None for climbs that stay as they are, also with hard assignment."""
    start = restarts.chosen
    doubt = _doubt(ascent, float(outcome.objective[start]))
    trace = np.asarray(outcome.trace[start, : outcome.steps[start]])
    coarse = _COARSE if len(trace) < _LONG else _RIDGE
    broken |= bool(restarts.status[start] == Status.LOWERED or _fall(trace) > max(_FALL, doubt))
    broken |= restarts.cut_short or bool(restarts.fallen_above(_FALL + doubt))
    fine = restarts.cut_short or restarts.status[start] in (Status.CONVERGED, Status.LOWERED)
    if not (ascent.single and fine and (broken or doubt > coarse)):
        return None
    if ascent.way.assign.hard or ascent.stop.asked:
        return None
    size = sum(a.nbytes for a in call.arrays if a.dtype == np.float32)
    if jax.default_backend() == "tpu" or size > _ROOM:
        _warn(
            restarts,
            doubt,
            "are more than is worth holding in double precision: give them as em.Batches",
        )
        return None
    try:
        with jax.enable_x64(True):
            return _ended(call, ascent, outcome, restarts, None if broken else doubt)
    except (TypeError, ValueError) as error:  # a model that insists on single precision
        _warn(restarts, doubt, f"cannot be fitted in double precision ({error})")
        return None


def _ended(
    call: Call, ascent: Ascent, outcome: Outcome, restarts: Restarts, doubt: float | None
) -> Doubled:
    def double(value: Any) -> Any:
        single = getattr(value, "dtype", None) == np.float32
        return value.astype(float) if single else value

    call = replace(call, arrays=tuple(double(a) for a in call.arrays))
    program = program_for(ascent.program.model, call, ascent.program.posterior)
    rows, found = prepare(program, call.arrays)
    given = jax.tree.map(double, ascent.given)
    ascent = replace(ascent, program=program, rows=rows, given=given, checkpoint=None, _ahead=[])
    if doubt is None:
        return Doubled(program, call, rows, found, *climb_all(ascent))
    # To the end: on a ridge the first steps of an accelerated climb see little left.
    way = replace(ascent.way, plain_first=False, search=False, patient=NEVER)
    near = _near(outcome, restarts, doubt)
    places = {start: _place(program, outcome.params, start) for start in near}
    outcome = jax.tree.map(double, outcome)
    # Whatever may be the best is compared in double precision.
    objective: Any = np.array(outcome.objective, float)
    trace: Any = np.array(outcome.trace, float)
    for start, place in places.items():
        value = objective_at(program, place, rows)
        trace[start] += value - objective[start]
        objective[start] = value
    outcome = outcome._replace(objective=objective, trace=trace)
    for start in _candidates(outcome, near, doubt, ascent.total):
        again = ascent.otherwise(way=way, number=1, given=places[start], bar=-np.inf)
        rest, _ = again.outcome()
        outcome = outcome.continued(start, rest)
    return Doubled(program, call, rows, found, outcome, ascent.selected(outcome))


def _single(tree: Any) -> Any:
    with np.errstate(over="ignore"):
        return jax.tree.map(lambda v: np.asarray(v, np.float32), tree)


def _holds_in_single(doubled: Doubled) -> bool:
    """Whether the chosen climb's parameters are as good where they are rounded.

    The numbers that the user gave have no more digits: a line through points that lie on it is
    found in double precision with a width that is their rounding.
    """
    best = doubled.restarts.chosen
    with jax.enable_x64(True):
        rounded = {n: np.asarray(v, float) for n, v in _single(doubled.outcome.params).items()}
        value = objective_at(doubled.program, _place(doubled.program, rounded, best), doubled.rows)
        return bool(value > float(doubled.outcome.objective[best]) - _COARSE)


def _doubt(ascent: Ascent, objective: float) -> float:
    """What rounding may make of the objective."""
    if not (np.isfinite(objective) and ascent.total > 0):
        return 0.0
    level = (objective - float(ascent.rows.log_base)) / ascent.total
    return float(worst_of_total(level, ascent.total, 0.0, np.float32, np))


def _fall(trace: np.ndarray) -> float:
    """The largest."""
    return float(-np.diff(trace).min(initial=0.0))


def _near(outcome: Outcome, restarts: Restarts, doubt: float) -> list[int]:
    """The climbs that may be the best but for rounding, of either: the chosen one, and by rank."""
    bound = outcome.objective[restarts.chosen] - 2 * doubt
    others = (int(i) for i in restarts.ranking if restarts.status[i] == Status.CONVERGED)
    near = (i for i in others if outcome.objective[i] >= bound)
    return list(dict.fromkeys([restarts.chosen, *near]))


def _candidates(outcome: Outcome, near: list[int], doubt: float, total: float) -> list[int]:
    """Those that may come out the highest, of like classes once."""
    kept: list[int] = []
    best = max(outcome.objective[i] for i in near)
    sizes = np.asarray(outcome.counts)
    for i in sorted(near, key=lambda i: -outcome.objective[i]):
        apart = not any(alike(sizes[i], sizes[j], total) for j in kept)
        if outcome.objective[i] >= best - doubt and apart and len(kept) < _MOST:
            kept.append(i)
    return kept


def _warn(restarts: Restarts, doubt: float, why: str) -> None:
    if restarts.narrow:  # which the fit's message says
        return
    warnings.warn(
        f"the rows {why}. In single precision rounding may cost {max(doubt, _FALL):.2g} units of "
        "the log-likelihood, so that the climb may have ended as much below its top",
        stacklevel=5,
    )


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
