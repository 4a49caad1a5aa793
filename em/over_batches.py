"""A run over rows that are read batch by batch: a sample says where climbs begin, passes climb."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from .calls.digests import digest_of_array
from .calls.keywords import refuse_unknown
from .calls.streams import Data
from .classes.assignments import Assign
from .classes.assignments.soft import Soft
from .climb.accelerations import Accelerate
from .climb.ascent import Ascent
from .climb.passes.climbs import climb_passes
from .climb.passes.journal import Journal
from .climb.passes.stepwise import Stepwise
from .climb.record.checkpoint import Checkpoint
from .climb.search import climb_all
from .climb.selection import Restarts, select
from .climb.state import Outcome, Settings
from .climb.status import Status
from .identity import identity_of
from .in_double import in_double
from .machine.interruption import Interruption
from .machine.jit import NEVER, PATIENT
from .machine.progress import RowProgress
from .machine.surroundings import surrounded
from .machine.together import all_fine, from_each, from_first, like_first
from .plan.chunks import Rows
from .plan.program import Params, Program
from .programs import prepare, program_for
from .report.fit import Fit, from_outcome
from .rows.checks import check
from .rows.given import check_params
from .rows.streamed import Streamed
from .sources.everyones import everyones
from .sources.side_by_side import first_batch
from .streamable import check_streamable

# Rows of the sample that decides where climbs begin, and how many of its climbs go on.
_SAMPLE, _FINALISTS = 1 << 15, 3
# Climbs of the sample that differ by less ended at one optimum.
_SAME = 1e-2


class Fitter(Protocol):
    """What an `EM` is asked for."""

    model: Callable
    objective: str
    assign: Assign
    accelerate: Accelerate | None
    stepwise: Stepwise | None
    max_steps: int
    tolerance: float
    progress_bar: bool

    def ascent(
        self,
        program: Program,
        rows: Rows,
        rng_key: jax.Array,
        found: Mapping[str, Any],
        given: Any = None,
        patient: float = PATIENT,
    ) -> Ascent:
        """The climbs of a sample that is read already."""
        ...


@surrounded
def run(
    fitter: Fitter,
    data: Data,
    rng_key: jax.Array,
    init_params: Mapping[str, Any] | None,
    init_responsibilities: Any,
    checkpoint: str | Path | None,
    checkpoint_every: float,
) -> Fit:
    """The fit of a model to `Batches`.

    Raises:
        ValueError: what needs all rows at once, or is not there for batches; a checkpoint of
            another run.
    """
    model, posterior = fitter.model, fitter.objective == "posterior"
    refuse_unknown(model, dict(data.kwargs), type(fitter).__init__)
    if init_responsibilities is not None:
        raise ValueError("init_responsibilities are of all rows at once; give init_params")
    seed = int(np.asarray(jax.random.key_data(rng_key)).ravel()[-1])
    several = jax.process_count() > 1
    seen, here, size, num_batches = everyones(
        several, data.streams, _SAMPLE, seed, checkpoint is not None
    )
    with all_fine(several):
        first = first_batch(data.streams, size, seen.dtypes)
        call = data.call(first, seen.gaps)
        program = program_for(model, call, posterior)
        check_streamable(program, model, call, data.places, size, fitter.stepwise is not None)
        sample_call = data.call(seen.sample, seen.gaps)
        sample_program = program_for(model, sample_call, posterior)
        sample, found = prepare(sample_program, sample_call.arrays)
        common, own = prepare(program, call.arrays)
    given = vars(fitter), call, rng_key, (init_params, None)
    if several:
        rows_apart = dict.fromkeys(data.places, "each its own")
        _the_same(identity_of(model, *given, rows_apart, size), own["fixed"])
    rows = Streamed(
        program=program,
        call=call,
        streams=data.streams,
        places=data.places,
        size=size,
        dtypes=seen.dtypes,
        num_rows=seen.num_rows,
        num_batches=num_batches,
        common=common._replace(
            reference=sample.reference, location=sample.location, spread=sample.spread
        ),
        found=own,
        hard=fitter.assign.hard,
        several=several,
    )
    try:
        check(sample_program, sample_call.arrays, found)
    except ValueError:
        with all_fine(several):
            for _ in rows:  # which names the row as it is read
                pass
        raise
    keeper = None
    if checkpoint is not None:
        digests = dict(zip(data.places, seen.digests, strict=True))
        identity = identity_of(model, *given, digests, size)
        keeper = Checkpoint(checkpoint, checkpoint_every, identity, several)
    place = None if init_params is None else check_params(program, init_params, call.arrays)
    free = {p.name for p in program.structure.free}
    narrow = False
    if place is not None and set(place) == free:
        starts = [place]
    else:
        patient = PATIENT if keeper is None else NEVER
        ascent = fitter.ascent(sample_program, sample, rng_key, found, place, patient)
        outcome, restarts = climb_all(ascent.kept(Interruption(), keeper))
        narrow = restarts.narrow or (ascent.single and restarts.cut_short)
        starts = _finalists(outcome, restarts)
        # As the first process has them: another machine may round otherwise.
        number = int(from_first(several, bytes([len(starts)]))[0])
        starts = list(like_first(several, (starts * number)[:number]))
    # What is drawn or tempered at first is so on the sample.
    assign = fitter.assign if fitter.assign.hard else Soft()
    settings = Settings(assign, fitter.max_steps, None, fitter.accelerate)
    what = [float(fitter.tolerance), int(fitter.max_steps), "passes"]
    progress = RowProgress(here, fitter.progress_bar)
    with Interruption() as stop, progress:
        rows.progress = progress.rows
        climbed = climb_passes(
            settings,
            rows,
            starts,
            fitter.tolerance,
            progress.passed,
            fitter.stepwise,
            Journal(keeper, stop, what),
        )
    assert rows.facts is not None
    likelihoods: Any = None
    if np.dtype(common.weights.dtype).itemsize < 8:
        climbed, likelihoods = in_double(model, data, first, seen.gaps, rows, assign, climbed)
    chosen = select(program, common, climbed, rows.facts.total)
    chosen = replace(chosen, narrow=chosen.narrow or narrow)
    likelihood = None if likelihoods is None else float(likelihoods[chosen.chosen])
    if likelihood is not None and not np.isfinite(likelihood):
        likelihood = None
    return from_outcome(
        program,
        data.elsewhere(call),
        rows,
        own | {"observations": rows.facts.observations},
        climbed,
        chosen,
        assign.hard,
        log_likelihood=likelihood,
    )


def _the_same(identity: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    """Refuse a run that is another one in another process, but for its rows.

    Raises:
        ValueError: which settings, arguments or fixed values differ.
    """
    own = {f"{part}: {name}": value for part, of in identity.items() for name, value in of.items()}
    own |= {f"the fixed parameter {n}": digest_of_array(v) for n, v in fixed.items()}
    every = [json.loads(w) for w in from_each(True, json.dumps(own).encode())]
    for number, other in enumerate(every[1:], 1):
        first = every[0]
        names = [n for n in {**first, **other} if first.get(n) != other.get(n)]
        if names:
            raise ValueError(
                "all processes make the same call, each with rows of its own, but process "
                f"{number} has other values than process 0 for {', '.join(names)}"
            )


def _finalists(outcome: Outcome, restarts: Restarts) -> list[Params]:
    """The best climbs of the sample that ended at different optima."""
    kept: list[int] = []
    order = [restarts.chosen, *(int(i) for i in restarts.ranking)]
    for i in order:
        fine = restarts.status[i] in (Status.CONVERGED, Status.MAX_STEPS)
        apart = all(abs(restarts.objective[i] - restarts.objective[j]) > _SAME for j in kept)
        if (fine and apart) or not kept:
            kept.append(i)
    return [{n: jnp.asarray(v[i]) for n, v in outcome.params.items()} for i in kept[:_FINALISTS]]
