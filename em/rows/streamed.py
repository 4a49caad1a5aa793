"""The data of a run that are read batch by batch: `Rows` of one batch after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from ..calls.call import Call
from ..machine.arrays import array as as_jax
from ..machine.jit import often_jit
from ..machine.together import all_fine, summed
from ..plan.chunks import Rows
from ..plan.program import Program
from ..sources.batches import Batches, all_at_once
from ..sources.side_by_side import Batch, batches
from .checks import check, findings
from .prepare import find_patterns, prepare


class Facts(NamedTuple):
    """Sums over all rows that one pass tells, in double precision.

    ``total`` of the weights of the units, ``squares`` of their squares, ``observations`` of the
    weights of the level with the most, ``log_base`` what no parameter reaches; ``known`` says that
    every class is.
    """

    total: float = 0.0
    squares: float = 0.0
    observations: float = 0.0
    log_base: float = 0.0
    known: bool = True

    def of_all(self, several: bool) -> Facts:
        """Those of all processes' rows."""
        *numbers, known = self
        sums, unknown = summed(several, (np.array(numbers), np.array(not known)))
        total, squares, observations, log_base = map(float, sums)
        return Facts(total, squares, observations, log_base, not unknown)


class Unread:
    """Numbers of all rows, which are not in memory; their kind is known."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise all_at_once()


@dataclass(eq=False)
class Streamed:
    """All rows of a run: iterated over, `Rows` of a batch of ``size`` each.

    ``call`` has the batches' program's arguments, some of whose arrays, at ``places``, are the
    ``streams``; ``common`` are the first batch's rows, of which what does not differ between
    batches is taken. `facts` are there after one pass, which checks the data too. ``progress`` is
    told how many rows were read; ``hard`` says that each row has one class of the fit. Of
    ``several`` processes each has batches of its own; `facts` are of all rows, and ``num_batches``
    the most that any of them has.
    """

    program: Program
    call: Call
    streams: Sequence[Batches]
    places: Sequence[int]
    size: int
    dtypes: Sequence[np.dtype]
    num_rows: int
    num_batches: int
    common: Rows
    found: dict[str, Any]
    level: float = 0.0
    hard: bool = False
    several: bool = False
    facts: Facts | None = None
    seen: Facts = field(default_factory=Facts)
    progress: Callable[[int], None] | None = field(default=None)

    def __iter__(self) -> Iterator[Rows]:
        """One pass: the rows of each batch, filled up with rows of weight 0."""
        return self.passed()

    def passed(self, first: int = 0) -> Iterator[Rows]:
        """A pass from its batch ``first`` on; of those before, the `seen` are known."""
        looking = self.facts is None
        if not first:
            self.seen = Facts() if self.facts is None else self.facts
        for batch in batches(self.streams, self.size, self.dtypes, first):
            arrays = self.arrays(batch)
            rows = self.rows_of(arrays, batch)
            if looking:
                self.seen = self._looked(self.seen, batch, arrays, rows)
            yield rows
            if self.progress is not None:
                self.progress(batch.number)

    def in_step(self) -> Iterator[Rows | None]:
        """A pass whose batches all processes take together; None where here are no more."""
        own = self.passed()
        for _ in range(self.num_batches):
            with all_fine(self.several):
                batch = next(own, None)
            yield batch
        with self.whole_pass():
            for _ in own:
                pass

    @contextmanager
    def whole_pass(self) -> Iterator[None]:
        """Around the end of a pass: what went wrong anywhere is raised, the facts are known."""
        with all_fine(self.several):
            yield
        if self.facts is None:
            self._accept(self.seen.of_all(self.several))

    def arrays(self, batch: Batch) -> tuple[jax.Array, ...]:
        """The arrays of the model's call with one batch."""
        given = list(self.call.arrays)
        for place, array in zip(self.places, batch.arrays, strict=True):
            given[place] = as_jax(array)
        return tuple(given)

    def rows_of(self, arrays: tuple, batch: Batch) -> Rows:
        """The rows of a batch, prepared."""
        program, common = self.program, self.common

        def made(arrays: tuple, used: jax.Array, reference: dict) -> tuple:
            rows = prepare(program, arrays, used, reference)
            return rows.chunks, rows.inner, rows.weights, rows.ahead, rows.shared

        compiled = program.compiled("batch", lambda: often_jit(program, made))
        used = as_jax(batch.used, common.weights.dtype)
        chunks, inner, weights, ahead, shared = compiled(arrays, used, common.reference)
        dtype = common.level.dtype
        rows = common._replace(
            chunks=chunks,
            inner=inner,
            patterns={},
            weights=weights,
            log_base=as_jax(0.0, dtype),
            level=as_jax(self.level, dtype),
            points={},
            arrays=arrays,
            ahead=ahead,
            shared=shared,
        )
        return find_patterns(program, rows)

    def _looked(self, facts: Facts, batch: Batch, arrays: tuple, rows: Rows) -> Facts:
        """Check a batch; the sums with its own."""
        program = self.program

        def look(arrays: tuple, used: jax.Array, reference: dict) -> tuple:
            trace = program.probed(arrays)
            prepared = prepare(program, arrays, used, reference, trace)
            levels = [w.sum() for w in (prepared.weights_of(n) for n in levels_of(program))]
            square = (prepared.weights**2).sum()
            return findings(program, arrays, trace), prepared.log_base, jnp.stack(levels), square

        compiled = program.compiled("look", lambda: often_jit(program, look))
        used = as_jax(batch.used, self.common.weights.dtype)
        seen = jax.tree.map(np.asarray, compiled(arrays, used, self.common.reference))
        found, log_base, levels, square = seen
        known = bool(found.get("known", False))
        own = found | {"total": np.ones(()) if np.isfinite(found["total"]) else found["total"]}
        try:
            check(program, arrays, own, to_fit=False)
        except ValueError as error:
            last = batch.first + batch.number - 1
            where = self.streams[0].source.where(batch.first)
            raise ValueError(
                f"in the batch of rows {batch.first} to {last}, which begins at {where} and in "
                f"which rows count from 0: {error}"
            ) from None
        self._same(found["fixed"])
        return Facts(
            facts.total + float(levels[0]),
            facts.squares + float(square),
            facts.observations + float(levels.max()),
            facts.log_base + float(log_base),
            facts.known and known,
        )

    def _same(self, fixed: dict[str, Any]) -> None:
        for name, value in fixed.items():
            if not np.array_equal(value, self.found["fixed"][name], equal_nan=True):
                raise ValueError(
                    f"the parameter {name!r} is held fixed at a value that the model takes from "
                    "its data, and differs from batch to batch; give it as a number"
                )

    def _accept(self, facts: Facts) -> None:
        if not facts.total > 0:
            raise ValueError(
                "all row weights (numpyro.handlers.scale) are 0; nothing is left to fit"
            )
        self.facts = self.seen = facts

    # ---- as `Rows`, for what does not ask for all rows at once ------------------------------

    @property
    def weights(self) -> Any:
        """The kind of the rows' weights."""
        return Unread(self.common.weights.dtype)

    def weights_of(self, level: int) -> Any:
        """The kind of a level's weights."""
        return Unread(self.common.weights_of(level).dtype)

    @property
    def base(self) -> float:
        """What the batches' objectives leave out: the level of all terms, and their constants."""
        assert self.facts is not None
        return self.level * self.facts.total + self.facts.log_base

    @property
    def spread(self) -> jax.Array:
        """The size of the observations."""
        return self.common.spread

    def __getattr__(self, name: str) -> NoReturn:
        if name in Rows._fields:
            raise all_at_once()
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _flattened(*_: Any) -> Any:
    raise all_at_once()


# Given to what is compiled for rows in memory, it says so.
jax.tree_util.register_pytree_node(Streamed, _flattened, _flattened)


def one_batch_of(rows: Rows | Streamed) -> Rows:
    """Rows for what is the same for all: of some batch."""
    return rows if isinstance(rows, Rows) else rows.common


def total_of(rows: Rows | Streamed) -> float:
    """The sum of the units' weights."""
    if isinstance(rows, Rows):
        return float(np.asarray(rows.weights, float).sum())
    assert rows.facts is not None
    return rows.facts.total


def levels_of(program: Program) -> range:
    """The numbers of all levels."""
    return range(len(program.structure.levels))
