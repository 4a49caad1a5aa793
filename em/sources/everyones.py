"""The rows of a run as all of its processes know them: each has read its own files."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from functools import reduce
from hashlib import blake2b
from typing import Any, NamedTuple

import jax
import numpy as np

from ..machine.together import all_fine, from_each
from .batches import Batches
from .side_by_side import Survey, batch_size_of, survey


class Everyones(NamedTuple):
    """The survey of all rows, of which ``here`` are; batches of ``size``, so many at most."""

    survey: Survey
    here: int
    size: int
    num_batches: int


def everyones(
    several: bool, streams: Sequence[Batches], most: int, seed: int, digested: bool
) -> Everyones:
    """What one look at all rows tells, each process looking at its own: see `survey`.

    A sample of ``most`` rows has as large a part from each process as rows are there, in the order
    of the processes.

    Raises:
        ValueError: rows of other shapes in other processes, or the very same rows.
        RuntimeError: another process could not read its rows.
    """
    with all_fine(several):
        own = survey(streams, most, seed, digested)
        size = min(batch_size_of(streams), own.num_rows)
    if not several:
        return Everyones(own, own.num_rows, size, -(-own.num_rows // size))
    told = {
        "rows": own.num_rows,
        "size": size,
        "dtypes": [d.str for d in own.dtypes],
        "shapes": [list(a.shape[1:]) for a in own.sample],
        "gaps": own.gaps,
        "digests": own.digests,
        "rows' own": blake2b(b"".join(a.tobytes() for a in own.sample)).hexdigest(),
    }
    every = [json.loads(w) for w in from_each(several, json.dumps(told).encode())]
    _comparable(every)
    numbers = [e["rows"] for e in every]
    size = min(e["size"] for e in every)
    dtypes = [
        reduce(np.promote_types, (np.dtype(e["dtypes"][i]) for e in every))
        for i in range(len(own.dtypes))
    ]
    share = _shares(numbers, most)[jax.process_index()]
    rng = np.random.default_rng(seed)
    kept = np.sort(rng.choice(len(own.sample[0]), share, replace=False))
    parts = [_read(d) for d in from_each(several, _written([a[kept] for a in own.sample]))]
    sample = tuple(
        np.concatenate([p[i] for p in parts]).astype(dtype) for i, dtype in enumerate(dtypes)
    )
    together = Survey(
        num_rows=sum(numbers),
        dtypes=tuple(dtypes),
        gaps=any(e["gaps"] for e in every),
        sample=sample,
        digests=tuple(" ".join(d) for d in zip(*(e["digests"] for e in every), strict=True)),
    )
    return Everyones(together, own.num_rows, size, max(-(-n // size) for n in numbers))


def _comparable(every: Sequence[dict[str, Any]]) -> None:
    first = every[0]
    for number, other in enumerate(every[1:], 1):
        if other["shapes"] != first["shapes"]:
            raise ValueError(
                f"a row of the Batches has the shapes {first['shapes']} in process 0 and "
                f"{other['shapes']} in process {number}; give the same columns, and groups (by=) "
                "the same length="
            )
    names = [(e["rows"], e["rows' own"]) for e in every]
    for number, name in enumerate(names):
        if names.index(name) != number:
            raise ValueError(
                f"processes {names.index(name)} and {number} have read the same rows, which would "
                "count twice: each process gives em.Batches files of its own"
            )


def _shares(numbers: Sequence[int], most: int) -> list[int]:
    """How many of the sample's rows are whose: in proportion, all if there are no more."""
    total = sum(numbers)
    ends = np.cumsum([0, *numbers]) * min(most, total) // total
    return [int(n) for n in np.diff(ends)]


def _written(arrays: Sequence[np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{str(i): a for i, a in enumerate(arrays)})
    return file.getvalue()


def _read(data: bytes) -> list[np.ndarray]:
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        return [stored[str(i)] for i in range(len(stored))]
