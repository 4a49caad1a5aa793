"""Fits of other data like these, many in one compiled call: rows reweighed, or simulated anew."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers

from ..calls.digests import digest_of_array
from ..classes.assignments.soft import Soft
from ..climb.loop import climb
from ..climb.state import Outcome, Settings
from ..machine.batches import in_batches
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..read import layout
from ..read.chains.simulated import unobserved
from ..report.fit import Fit
from ..rows.prepare import prepare as read_rows
from ..rows.prepare import weights_in_chunks
from ..rows.shared import totals
from ..step.objective import evaluate

# So many multiplications of an E-step are worth doing side by side.
_SIDE_BY_SIDE = 2e6


def reweighed(program: Program, rows: Rows, weights: jax.Array) -> Rows:
    """The same rows with other weights (n,); a weight of 0 leaves a row out.

    ``log_base`` stays: objectives of different weights do not compare.
    """
    filled = weights_in_chunks(program, weights, rows.chunks.weights.shape)
    inner = {
        level: part._replace(chunk=part.chunk._replace(weights=weights[part.owner]))
        for level, part in rows.inner.items()
    }
    chunks = rows.chunks._replace(weights=filled)
    rows = rows._replace(weights=weights, chunks=chunks, inner=inner)
    return rows._replace(shared=totals(program, rows))


def of_rows(program: Program, units: Any) -> Any:
    """(n,) of values (u,) of the independent units: what a sequence has, its steps have."""
    chain = program.structure.chain
    return units if chain is None else jnp.tile(units, chain.length)


def each(program: Program, function: Callable, inputs: Any) -> Any:
    """``function`` of every entry of ``inputs`` (b, ...), some of them at a time."""
    number = len(jax.tree.leaves(inputs)[0])
    return in_batches(number, int(_SIDE_BY_SIDE // max(program.work, 1)))(function)(inputs)


def from_params(
    program: Program, rows: Rows, params: Params, max_steps: int, tolerance: float
) -> Outcome:
    """Soft EM from given parameters, one climb (without a leading axis)."""
    settings = Settings(Soft(), max_steps)
    start = jax.tree.map(lambda a: a[None], (params, evaluate(program, Soft(), params, rows)))
    bound = jnp.asarray(tolerance, rows.weights.dtype)
    key = jax.random.key(0)[None]  # soft EM draws nothing
    outcome = climb(program, settings, rows, start[0], start[1], bound, max_steps, key)
    return jax.tree.map(lambda a: a[0], outcome)


class Replicator(NamedTuple):
    """Other rows like a fit's: ``draw(rng_key, given)``, as a program reads them.

    What it computes depends on ``name``, which can be told from others, and on ``given``, arrays of
    the fit: so what is compiled of one fit serves the next.
    """

    draw: Callable[[jax.Array, Any], Rows]
    given: Any
    name: Hashable


def simulator(fit: Fit, program: Program) -> Replicator:
    """Rows simulated from ``fit``, as ``program`` reads them.

    Raises:
        ValueError: observations that are no argument of the model, or rows that are weighted.
    """
    refuse_auxiliary(program)
    weights = np.asarray(fit.rows.weights)
    if not np.all((weights == 1) | ((weights == 0) & (program.structure.chain is not None))):
        raise ValueError(
            "a parametric bootstrap simulates rows, so it cannot keep row weights; repeat the rows "
            "as often as their weights say, or use kind='weighted'"
        )
    if program.augmented or fit.program.structure.latent.labels is not None:
        raise ValueError(
            "a parametric bootstrap does not know how labels or entries came to be missing; use "
            "kind='weighted'"
        )
    places = observed_arguments(fit)
    model, template = unobserved(fit.program.model), replace(fit.call, arrays=())

    def draw(rng_key: jax.Array, given: Any) -> Rows:
        leaves, arrays = given
        positional, keywords = template.rebuild(arrays)
        known = handlers.seed(handlers.substitute(model, data=leaves), rng_key)
        trace = handlers.trace(known).get_trace(*positional, **keywords)
        simulated = list(arrays)
        for name, place in places.items():
            old = arrays[place]
            new = trace[name]["value"].reshape(old.shape).astype(old.dtype)
            missing = jnp.isnan(old) if jnp.issubdtype(old.dtype, jnp.floating) else None
            simulated[place] = new if missing is None else jnp.where(missing, jnp.nan, new)
        return read_rows(program, tuple(simulated))

    fixed = tuple((i, digest_of_array(a)) for i, a in template.concrete.items())
    name = (fit.program, tuple(places.items()), fixed)
    return Replicator(draw, (dict(fit.leaves), fit.call.arrays), name)


def refuse_auxiliary(program: Program) -> None:
    """Raise where more than independent rows is observed: replicates are of rows."""
    for beside in program.structure.auxiliary:
        raise ValueError(
            f"the bootstrap replicates the rows of {program.structure.latent.name!r}, and site "
            f"{beside.name!r} is observed beside them: use fit.standard_errors()"
        )


def observed_arguments(fit: Fit) -> dict[str, int]:
    """{site: which of the call's arrays it observes}, found by comparing their numbers."""
    program, arrays = fit.program, fit.call.arrays
    trace = program.run(program.probe_values, arrays, 0)
    places = {}
    for data in program.structure.data:
        value = np.asarray(trace[data.name]["value"], float)
        unseen = np.isnan(value)
        if data.incomplete:  # what is masked may have any number in its place, here or there
            unseen |= ~np.asarray(layout.observed(trace[data.name], data))
        same = [
            i
            for i, a in enumerate(arrays)
            if a.size == value.size
            and np.all((np.asarray(a, float).ravel() == value.ravel()) | unseen.ravel())
        ]
        if not same:
            raise ValueError(
                f"the observations of site {data.name!r} are no argument of the model, so that "
                "simulated ones cannot take their place; pass them to the model as they are"
            )
        places[data.name] = same[0]
    return places
