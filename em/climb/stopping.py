"""When a climb ends, and as what."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..step.expectation import Expectation
from .leap import Leap
from .state import RUNNING, State
from .status import Status


def scale_floor(dtype: Any) -> float:
    """Below this relative scale a component counts as collapsed: its digits are used up."""
    return 1e-6 if jnp.finfo(dtype).bits > 32 else 1e-3


def rounding(objective: jax.Array) -> jax.Array:
    """How far an objective may move by rounding alone."""
    return 8 * jnp.finfo(objective.dtype).eps * (1 + jnp.abs(objective))


def judge(
    state: State,
    new: Expectation,
    gain: jax.Array,
    scale: jax.Array,
    reseeded: jax.Array,
    tolerance: jax.Array,
    settled: jax.Array,
    rises: jax.Array,
) -> jax.Array:
    """(): the status of a climb after a step of EM's own, or that it goes on."""
    objective = new.objective
    calm = (reseeded == 0) & settled
    done = calm & stopping(gain, state.gain, objective, tolerance)
    if new.labels is not None and state.expected.labels is not None:
        done = calm & (new.labels == state.expected.labels).all() | (calm & (gain == 0))
    fell = (reseeded == 0) & rises & (state.reseeded == 0) & (gain < -100 * rounding(objective))
    code = jnp.where(done, Status.CONVERGED, RUNNING)
    code = jnp.where(fell, Status.LOWERED, code)
    code = jnp.where(jnp.isfinite(objective), code, _why_not_finite(objective))
    collapsed = ~(scale >= scale_floor(objective.dtype))
    return jnp.where(collapsed, Status.COLLAPSED, code).astype(jnp.int32)


def _why_not_finite(objective: jax.Array) -> jax.Array:
    return jnp.where(objective == jnp.inf, Status.NO_MODE, Status.NOT_FINITE)


def judge_leap(
    state: State,
    new: Expectation,
    ahead: Leap,
    scale: jax.Array,
    taken: jax.Array,
    tolerance: jax.Array,
) -> jax.Array:
    """As `judge`, for a step that may be longer than EM's own.

    Aitken's estimate is for steps that shrink by a steady factor; here the accelerator's model
    of the objective says what is left, and the step to that model's top must have confirmed it:
    both below ``tolerance``. A full step that changes no more than rounding does stops as well, and
    so does a refused step of EM's own, since the next one would be the same.
    """
    objective = new.objective
    change = jnp.abs(objective - state.expected.objective)
    calm = (state.steps > 0) & ahead.full
    settled = (ahead.rest < tolerance) & (change < tolerance)
    stuck = ahead.plain & (state.steps > 0) & ~taken
    done = (calm & (settled | (change <= rounding(objective)))) | stuck
    fell = stuck & (change > 100 * rounding(objective))
    code = jnp.where(done, Status.CONVERGED, RUNNING)
    code = jnp.where(fell, Status.LOWERED, code)
    broken = ahead.plain & ~jnp.isfinite(objective)
    code = jnp.where(broken, _why_not_finite(objective), code)
    collapsed = taken & ~(scale >= scale_floor(objective.dtype))
    return jnp.where(collapsed, Status.COLLAPSED, code).astype(jnp.int32)


def stopping(
    gain: jax.Array, last_gain: jax.Array, objective: jax.Array, tolerance: jax.Array
) -> jax.Array:
    """Whether the rest of the climb is negligible.

    EM's gains shrink by a steady factor ``a = gain / last_gain``, so that what is left is
    ``gain a / (1 - a)`` (Aitken; Boehning et al. 1994, Annals of the Institute of Statistical
    Mathematics 46:373). It must be below ``tolerance``, in natural-log units of the total
    objective: a unit that needs no scale, since a parameter that is e standard errors away from
    the optimum costs ``e^2 / 2``. A change that rounding alone can make stops as well. So does any
    fall: EM's own steps rise, so that rounding, however large it is on this data (terms that
    cancel round as they are, not as their sum), is larger than what is left to gain by a step.
    Otherwise single precision may go round in a circle of a few values for ever.
    """
    factor = gain / last_gain
    rest = jnp.where((factor > 0) & (factor < 1), gain * factor / (1 - factor), jnp.inf)
    settled = (rest < tolerance) & (gain < tolerance)
    return settled | (gain <= rounding(objective))
