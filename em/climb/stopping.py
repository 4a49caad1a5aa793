"""When a climb ends, and as what."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..plan.chunks import Rows
from ..step.expectation import Expectation
from .leap import Leap
from .state import RUNNING, State
from .status import Status

# The size of a row's term, at least, and what is little in single precision.
_TERM, _LITTLE = 4.0, 1e-3


def scale_floor(dtype: Any) -> float:
    """Below this relative scale a component counts as collapsed: its digits are used up."""
    return 1e-6 if jnp.finfo(dtype).bits > 32 else 1e-3


def rounding(objective: Any, noise: Any = 0.0) -> Any:
    """How far an objective may move by rounding alone; ``noise`` is that of its terms."""
    return 8 * jnp.finfo(objective.dtype).eps * (1 + abs(objective)) + noise


def noise_of(weights: jax.Array) -> jax.Array:
    """What the rounding of the rows' terms adds up to, of either sign and a size of a few units."""
    return noise_of_squares((weights**2).sum(), weights.dtype)


def noise_of_squares(squares: Any, dtype: Any) -> Any:
    """The same of the sum of the squared weights."""
    return 4 * jnp.finfo(dtype).eps * squares**0.5


class Bounds(NamedTuple):
    """What a climb is judged by.

    ``noise`` is what the rounding of the rows' terms makes, ``whole`` what it may make at worst,
    where terms are differences of large ones.
    """

    tolerance: jax.Array
    noise: jax.Array
    whole: jax.Array

    def fall(self, objective: jax.Array, scale: jax.Array) -> jax.Array:
        """How far an objective may fall by rounding alone.

        Of a component whose smallest scale is s of the data's, a row's distance is worked out with
        a matrix of condition ``1 / s^2``, and is off by as many times the last digit.
        """
        condition = 1 / jnp.maximum(scale, scale_floor(objective.dtype)) ** 2
        return 100 * rounding(objective, self.whole + self.noise * condition)


def judge(
    state: State,
    new: Expectation,
    gain: jax.Array,
    scale: jax.Array,
    narrowest: jax.Array,
    reseeded: jax.Array,
    bounds: Bounds,
    settled: jax.Array,
    rises: jax.Array,
) -> jax.Array:
    """(): the status of a climb after a step of EM's own, or that it goes on.

    ``scale`` is the smallest relative scale that a component has to itself, ``narrowest`` of all.
    """
    objective, (tolerance, noise, _) = new.objective, bounds
    calm = (reseeded == 0) & settled
    done = calm & stopping(gain, state.gain, objective, tolerance, noise)
    if new.labels is not None and state.expected.labels is not None:
        done = calm & (new.labels == state.expected.labels).all() | (calm & (gain == 0))
    lower = gain < -bounds.fall(objective, narrowest)
    fell = (reseeded == 0) & rises & (state.reseeded == 0) & lower
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
    narrowest: jax.Array,
    taken: jax.Array,
    last: jax.Array,
    bounds: Bounds,
) -> jax.Array:
    """As `judge`, for a step that may be longer than EM's own.

    Aitken's estimate is for steps that shrink by a steady factor; here the accelerator's model
    of the objective says what is left, and the step to that model's top must have confirmed it:
    both below ``tolerance``. A full step that changes no more than rounding does stops as well, and
    so does a refused step of EM's own, since the next one would be the same (``last``).
    """
    objective, (tolerance, noise, whole) = new.objective, bounds
    change = jnp.abs(objective - state.expected.objective)
    rounded = rounding(objective, noise)
    calm = (state.steps > 0) & ahead.full
    settled = (ahead.rest < tolerance) & (change < tolerance)
    stuck = ahead.plain & (state.steps > 0) & ~taken & last
    little = (ahead.rest <= _LITTLE) & (change <= rounding(objective, whole))
    done = (calm & (settled | little | (change <= rounded))) | stuck
    fell = stuck & (change > bounds.fall(objective, narrowest))
    code = jnp.where(done, Status.CONVERGED, RUNNING)
    code = jnp.where(fell, Status.LOWERED, code)
    broken = ahead.plain & ~jnp.isfinite(objective) & last
    code = jnp.where(broken, _why_not_finite(objective), code)
    collapsed = (taken | broken) & ~(scale >= scale_floor(objective.dtype))
    return jnp.where(collapsed, Status.COLLAPSED, code).astype(jnp.int32)


def worst_of(rows: Rows) -> jax.Array:
    """The rounding of the whole objective, with the level that is taken off its terms."""
    weights = rows.weights
    return worst_of_total(rows.level, weights.sum(), (weights**2).sum(), weights.dtype)


def worst_of_total(level: Any, total: Any, squares: Any, dtype: Any, xp: Any = jnp) -> Any:
    """The same of the sum of the weights and that of their squares."""
    size = xp.asarray(xp.maximum(abs(level), _TERM) * total, dtype)
    return rounding(size, noise_of_squares(squares, dtype))


def stopping(
    gain: jax.Array,
    last_gain: jax.Array,
    objective: jax.Array,
    tolerance: jax.Array,
    noise: jax.Array | float = 0.0,
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
    return settled | (gain <= rounding(objective, noise))


def left(trace: np.ndarray, noise: float = 0.0) -> float:
    """What is left of a climb by its trace (t,), over spans of steps, so that rounding is small.

    Of the last three points that lie as many steps apart, as far as the last third of the trace
    allows: the gains of the two spans shrink by a factor, as single steps' do (Aitken). A span that
    gains no more than ``noise`` tells nothing, and is the end.
    """
    span = len(trace) // 4
    if span < 3:
        return 0.0
    first, middle, last = trace[-1 - 2 * span], trace[-1 - span], trace[-1]
    gain, before = last - middle, middle - first
    if not gain > noise:
        return 0.0
    factor = gain / before if before > 0 else 1.0
    return float(gain * factor / (1 - factor)) if factor < 1 else float(np.inf)
