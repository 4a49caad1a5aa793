"""What climbs over rows that are read batch by batch compute: one pass over all rows is one step.

The steps are the loop's own (`advance.py`); between their halves a pass sums the batches' E-steps,
in double precision. The gradient that accelerations ask for costs no pass of its own: by Fisher's
identity it is that of EM's Q at the parameters of the E-step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...machine.arrays import array as as_jax
from ...machine.jit import loop_jit, often_jit
from ...plan.chunks import Rows
from ...plan.program import Params
from ...rows.over_rows import Keeper, over_rows
from ...rows.scales import direct
from ...rows.streamed import Streamed
from ...step.expectation import Expectation, e_step
from ...step.maximisation import m_step
from ...step.prior import log_prior
from ...step.quadratic import with_quadratics, without_statistics
from ...step.slope import slope_of
from .. import engine
from ..advance import Ahead, propose, settle
from ..leap import begin
from ..state import RUNNING, Flight, Settings, State
from ..stopping import Bounds


class Passes:
    """What climbs over streamed rows compute, compiled once for all batches."""

    def __init__(self, settings: Settings, rows: Streamed) -> None:
        self.settings, self.rows, self.program = settings, rows, rows.program
        self.common = engine.given(self.program, rows.common)
        self.dtype = np.dtype(rows.common.weights.dtype)
        self.curved = without_statistics(self.program)

    def expectations(
        self,
        places: Sequence[Params],
        keeper: Keeper | None = None,
        so_far: tuple[int, Any] = (0, None),
    ) -> list[Expectation]:
        """The E-step of all rows at several parameters, by one pass: see `over_rows`."""

        def every(places: Sequence[Params], batch: Rows) -> list[Expectation]:
            return [self.e_step(params, batch) for params in places]

        so_far = (so_far[0], (so_far[1] or [])[: len(places)])
        found = over_rows(every, places, self.rows, keeper, so_far)
        return [self._with_prior(e, p) for e, p in zip(found, places, strict=True)]

    def e_step(self, params: Params, batch: Rows) -> Expectation:
        """That of one batch."""
        own = engine.given(self.program, batch)
        name = ("pass", self.settings.assign)
        return self._compiled(name, self._of_batch, loop_jit)(params, own)

    def _of_batch(self, params: Params, rows: Rows) -> Expectation:
        found = e_step(self.program, self.settings.assign, params, rows)
        if self.curved:
            found = with_quadratics(self.program, found, params, rows, self.curved)
        # By row they are of one batch only, and no M-step here asks for them.
        return found._replace(responsibilities={}, labels=None, row_objective=None)

    def nothing(self, params: Params) -> Expectation:
        """The sums over no rows."""
        found = jax.eval_shape(self._of_batch, params, self.common)
        return jax.tree.map(lambda v: np.zeros(v.shape), found)

    def m_step(self, params: Params, expected: Expectation) -> Params:
        """The parameters after statistics that need not be of all rows."""
        function = partial(m_step, self.program)
        return self._compiled("m_step", function, often_jit)(expected, params, self.common)

    def _with_prior(self, summed: Expectation, params: Params) -> Expectation:
        if not self.program.posterior:
            return summed
        prior = self._compiled("prior", self._log_prior, often_jit)(params, self.common)
        return summed._replace(objective=summed.objective + float(prior))

    def rounded(self, summed: Expectation) -> Expectation:
        """The sums as climbs have them: in single precision the data's own."""
        return jax.tree.map(lambda v: as_jax(v, self.dtype), summed)

    def _log_prior(self, params: Params, common: Rows) -> jax.Array:
        return log_prior(self.program, params, common.arrays)

    def begin(self, params: Params, expected: Expectation) -> State:
        """A climb from parameters, by the E-step at them."""
        program, accelerate = self.program, self.settings.accelerate
        zero = as_jax(0, np.int32)
        flight = None
        if accelerate is not None:
            memory = begin(program, accelerate, params, self.common)
            flight = Flight(jax.tree.map(jnp.zeros_like, params), as_jax(False, np.bool_), memory)
        gain = as_jax(np.inf, self.dtype)
        expected = self.rounded(expected)
        code = as_jax(RUNNING, np.int32)
        reach = as_jax(1.0, self.dtype) if self.curved else None
        return State(params, expected, gain, zero, code, zero, flight, reach)

    def propose(self, state: State) -> Ahead:
        """Where a climb goes next."""
        function = partial(propose, self.program, self.settings)
        return self._compiled(("propose", self.settings), function, often_jit)(state, self.common)

    def settle(self, state: State, ahead: Ahead, new: Expectation, bounds: Bounds) -> State:
        """The climb after the pass there."""
        program, settings = self.program, self.settings

        def of(state: State, ahead: Ahead, new: Expectation, bounds: Bounds, rows: Rows) -> State:
            slope = None
            if settings.accelerate is not None:
                slope = slope_of(program, ahead.params, new, rows)
            zero = jnp.zeros((), jnp.int32)
            return settle(program, settings, state, ahead, new, slope, zero, bounds, rows)

        compiled = self._compiled(("settle", settings), of, often_jit)
        return compiled(state, ahead, self.rounded(new), bounds, self.common)

    def scales(self, params: Params) -> np.ndarray:
        """(k,) the components' own smallest scales."""
        function = partial(direct, self.program)
        return np.asarray(self._compiled("scales", function, often_jit)(params, self.common))

    def _compiled(self, name: Any, function: Callable, jit: Callable) -> Any:
        return engine.compiled(self.program, ("passes", name), lambda: jit(self.program, function))
