"""What a fit's file keeps of rows that are read batch by batch: where they are, and facts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from ...calls.call import Call
from ...calls.digests import digest_of_array
from ...calls.streams import Data
from ...plan.chunks import Rows
from ...plan.program import Program
from ...rows.streamed import Facts, Streamed
from ...sources.side_by_side import batch_size_of, first_batch

_ARRAYS = "rows/"


def told(rows: Streamed) -> dict[str, Any]:
    """What JSON holds of the rows.

    Raises:
        ValueError: rows of several processes.
    """
    assert rows.facts is not None
    if rows.several:
        raise ValueError(
            "the rows of this fit are with several processes, and a file would know those of one: "
            "keep its parameters, numpy.savez(path, **fit.params)"
        )
    return {
        "size": rows.size,
        "number": rows.num_rows,
        "dtypes": [str(d) for d in rows.dtypes],
        "gaps": rows.call.gaps,
        "level": rows.level,
        "hard": rows.hard,
        "facts": list(map(float, rows.facts)),
        "first": [digest_of_array(rows.common.arrays[place]) for place in rows.places],
        "written": max(s.written for s in rows.streams),
    }


def arrays_of(rows: Streamed) -> dict[str, np.ndarray]:
    """The arrays that go with it: what features are measured from, the size of observations."""
    own = {f"{_ARRAYS}location": rows.common.location, f"{_ARRAYS}spread": rows.common.spread}
    for site, arguments in rows.common.reference.items():
        own |= {f"{_ARRAYS}reference/{site}/{n}": v for n, v in arguments.items()}
    return {n: np.asarray(v) for n, v in own.items()}


def call_of(data: Data, meta: Mapping[str, Any]) -> Call:
    """The call with the first batch; files that were written later are warned of.

    Raises:
        ValueError: rows that are no longer there, not as many, or others in the first batch.
    """
    batch_size_of(data.streams)
    known = {s.num_rows for s in data.streams} - {None}
    if known - {meta["number"]}:
        raise ValueError(
            f"the fit is of {meta['number']} rows, and {data.streams[0]} now has "
            f"{(known - {meta['number']}).pop()}"
        )
    first = first_batch(data.streams, meta["size"], [np.dtype(d) for d in meta["dtypes"]])
    call = data.call(first, meta["gaps"])
    own = [digest_of_array(call.arrays[place]) for place in data.places]
    changed = [
        s for s, new, old in zip(data.streams, own, meta["first"], strict=True) if new != old
    ]
    if changed:
        raise ValueError(f"the first rows of {changed[0]} are not those that the fit is of")
    if later := [s for s in data.streams if s.written > meta["written"]]:
        warnings.warn(
            f"{later[0]} was written after the fit was made. Its first rows are the same; if "
            "others changed, responsibilities, standard errors and the like are of the new ones",
            stacklevel=6,
        )
    return call


def retold(
    meta: Mapping[str, Any],
    stored: Mapping[str, np.ndarray],
    program: Program,
    call: Call,
    data: Data,
    common: Rows,
    found: dict[str, Any],
) -> Streamed:
    """The rows of a file, of which the first batch is prepared as ``common``."""
    reference: dict[str, Any] = {
        site: {n: jnp.asarray(stored[f"{_ARRAYS}reference/{site}/{n}"]) for n in arguments}
        for site, arguments in common.reference.items()
    }
    return Streamed(
        program=program,
        call=call,
        streams=data.streams,
        places=data.places,
        size=meta["size"],
        dtypes=[np.dtype(d) for d in meta["dtypes"]],
        num_rows=meta["number"],
        num_batches=-(-meta["number"] // meta["size"]),
        common=common._replace(
            reference=reference,
            location=jnp.asarray(stored[f"{_ARRAYS}location"]),
            spread=jnp.asarray(stored[f"{_ARRAYS}spread"]),
        ),
        found=found,
        level=meta["level"],
        hard=meta["hard"],
        facts=Facts(*meta["facts"]),
    )
