"""Several `Batches` read in step, the next batch while this one is worked on; and a sample."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice, zip_longest
from typing import Any, NamedTuple

import jax
import numpy as np

from .batches import Batches

# Batches that wait, besides the one that is worked on and the one that is read.
_WAITING = 1


class Batch(NamedTuple):
    """Rows from ``first`` on: ``number`` of them, the arrays filled up by copies of the last."""

    first: int
    number: int
    arrays: tuple[np.ndarray, ...]

    @property
    def used(self) -> np.ndarray:
        """(size,) 1 for the rows themselves, 0 for what fills up."""
        return (np.arange(len(self.arrays[0])) < self.number).astype(float)


class Survey(NamedTuple):
    """What one look at all rows tells: their number, kinds of numbers, gaps, a sample of them."""

    num_rows: int
    dtypes: tuple[np.dtype, ...]
    gaps: bool
    sample: tuple[np.ndarray, ...]
    digests: tuple[str, ...] = ()


def batch_size_of(streams: Sequence[Batches]) -> int:
    """The one size of all.

    Raises:
        ValueError: several sizes, or numbers of rows.
    """
    sizes = {s.batch_size for s in streams}
    if len(sizes) > 1:
        raise ValueError(
            "the Batches of one call have different batch sizes: "
            f"{', '.join(map(str, sorted(sizes)))}; give them one"
        )
    numbers = {s.num_rows for s in streams} - {None}
    if len(numbers) > 1:
        raise ValueError(
            f"the Batches of one call have different numbers of rows: "
            f"{', '.join(map(str, sorted(n for n in numbers if n is not None)))}"
        )
    return sizes.pop()


def together(streams: Sequence[Batches]) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
    """The first row's number and the arrays of each batch."""
    first = 0
    for arrays in zip_longest(*streams):
        lengths = {0 if a is None else len(a) for a in arrays}
        if len(lengths) > 1:
            raise ValueError(
                f"the Batches of one call end after different numbers of rows, at "
                f"{first + min(lengths)} and {first + max(lengths)}"
            )
        yield first, arrays
        first += len(arrays[0])


def batches(
    streams: Sequence[Batches], size: int, dtypes: Sequence[np.dtype], skipped: int = 0
) -> Iterator[Batch]:
    """All batches of one size but for the first few, read by another thread."""

    def read() -> Iterator[Batch]:
        for first, arrays in islice(together(streams), skipped, None):
            number = len(arrays[0])
            whole = tuple(filled(a, size, d) for a, d in zip(arrays, dtypes, strict=True))
            yield Batch(first, number, whole)

    return ahead(read())


def first_batch(
    streams: Sequence[Batches], size: int, dtypes: Sequence[np.dtype]
) -> list[np.ndarray]:
    """The arrays of the first ``size`` rows."""
    _, arrays = next(together(streams))
    return [np.ascontiguousarray(a[:size], d) for a, d in zip(arrays, dtypes, strict=True)]


def survey(streams: Sequence[Batches], most: int, seed: int, digested: bool = False) -> Survey:
    """One pass over the rows, and ``most`` of them drawn at random, in their order.

    Every row has a random number; those of the smallest are kept (a reservoir). ``digested`` asks
    for a digest of all rows of each stream, by which a checkpoint knows them.
    """
    rng = np.random.default_rng(seed)
    rows, keys, places = None, np.zeros(0), np.zeros(0, int)
    dtypes: list[np.dtype] = []
    total, gaps = 0, False
    digests = [blake2b(digest_size=16) for _ in streams] if digested else []
    for first, arrays in ahead(together(streams)):
        for digest, array in zip(digests, arrays, strict=False):
            digest.update(f"{array.shape[1:]} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
        for array in arrays:
            _check_numbers(array)
        own = [_kind(a) for a in arrays]
        dtypes = [np.promote_types(a, b) for a, b in zip(dtypes or own, own, strict=True)]
        gaps = gaps or any(a.dtype.kind == "f" and bool(np.isnan(a).any()) for a in arrays)
        total = first + len(arrays[0])
        drawn = rng.random(len(arrays[0]))
        bound = keys.max() if len(keys) == most else 2.0
        new = np.flatnonzero(drawn < bound)
        if not len(new):
            continue
        keys, places = np.append(keys, drawn[new]), np.append(places, first + new)
        more = [a[new] for a in arrays]
        rows = more if rows is None else [np.concatenate(p) for p in zip(rows, more, strict=True)]
        if len(keys) > most:
            kept = np.sort(np.argpartition(keys, most)[:most])
            keys, places, rows = keys[kept], places[kept], [r[kept] for r in rows]
    if rows is None:
        raise ValueError("the Batches have no rows; give at least one row")
    order = np.argsort(places)
    sample = tuple(r[order].astype(d) for r, d in zip(rows, dtypes, strict=True))
    return Survey(total, tuple(dtypes), gaps, sample, tuple(d.hexdigest() for d in digests))


def ahead[T](items: Iterator[T]) -> Iterator[T]:
    """The items, made by a thread that is a little ahead of whoever takes them."""
    waiting: queue.Queue = queue.Queue(_WAITING)
    stopped = threading.Event()
    end = object()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((end, None))
        except BaseException as error:
            put((end, error))

    thread = threading.Thread(target=make, daemon=True, name="mixpyro-batches")
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is end:
                return
            yield item
    finally:
        stopped.set()
        thread.join()


def _kind(array: np.ndarray) -> np.dtype:
    """The kind of numbers that JAX makes of an array."""
    return np.dtype(jax.dtypes.canonicalize_dtype(array.dtype))


def _check_numbers(array: np.ndarray) -> None:
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"the Batches hold {array.dtype}, no numbers; code categories as integers 0, 1, ..."
        )


def filled(array: np.ndarray, size: int, dtype: np.dtype) -> np.ndarray:
    """With so many rows, the last one again and again."""
    if len(array) == size:
        return np.ascontiguousarray(array, dtype)
    out = np.empty((size, *array.shape[1:]), dtype)
    out[: len(array)] = array
    out[len(array) :] = array[-1]
    return out
