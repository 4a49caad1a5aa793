"""What the processes of one run agree on, so that all of them do the same next.

All of them make the same calls in the same order; ``several`` says that there are others at all.
Numbers travel as bytes, so that double precision arrives whatever JAX computes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np


def agreed(several: bool, values: Sequence[float]) -> list[float]:
    """The largest of each value among the processes that have rows of a run."""
    own = np.asarray(values, float)
    return [float(v) for v in _parts(several, own).max(0)]


def from_first(several: bool, data: bytes) -> bytes:
    """What the first process has; the others' is not looked at."""
    return from_each(several, data if is_first(several) else b"")[0]


def from_each(several: bool, data: bytes) -> list[bytes]:
    """What each process has, in their order."""
    if not several:
        return [data]
    sizes = _gathered(np.frombuffer(np.int64(len(data)).tobytes(), np.uint8)).copy()
    lengths = sizes.view(np.int64)[:, 0]
    room = np.zeros(int(lengths.max()), np.uint8)
    room[: len(data)] = np.frombuffer(data, np.uint8)
    every = _gathered(room)
    return [bytes(e[:n]) for e, n in zip(every, lengths, strict=True)]


def summed(several: bool, tree: Any) -> Any:
    """The sum over the processes of a pytree of NumPy's arrays, in double precision.

    It is the same to the last bit in all of them: they add in one order.
    """
    if not several:
        return tree
    leaves, structure = jax.tree.flatten(tree)
    arrays = [np.asarray(v, float) for v in leaves]
    flat = np.concatenate([a.ravel() for a in arrays]) if arrays else np.zeros(0)
    total = _parts(several, flat).sum(0)
    ends = np.cumsum([a.size for a in arrays])[:-1]
    parts = np.split(total, ends) if arrays else []
    shaped = [p.reshape(a.shape) for p, a in zip(parts, arrays, strict=True)]
    return jax.tree.unflatten(structure, shaped)


def like_first(several: bool, tree: Any) -> Any:
    """The first process' pytree of arrays, whose kinds and shapes are everybody's, as NumPy's."""
    if not several:
        return tree
    leaves, structure = jax.tree.flatten(tree)
    arrays = [np.asarray(v) for v in leaves]
    data = from_first(several, b"".join(a.tobytes() for a in arrays))
    ends = np.cumsum([a.nbytes for a in arrays])
    parts = [data[e - a.nbytes : e] for e, a in zip(ends, arrays, strict=True)]
    first = [np.frombuffer(p, a.dtype).reshape(a.shape) for p, a in zip(parts, arrays, strict=True)]
    return jax.tree.unflatten(structure, first)


@contextmanager
def all_fine(several: bool) -> Iterator[None]:
    """What each process does by itself: an error in one of them is raised in all.

    Raises:
        RuntimeError: here nothing was wrong, elsewhere it was.
    """
    if not several:
        yield
        return
    failed: Exception | None = None
    try:
        yield
    except Exception as error:
        failed = error
    told = from_each(several, b"" if failed is None else str(failed).encode() or b"an error")
    if failed is not None:
        raise failed
    wrong = [(i, words.decode()) for i, words in enumerate(told) if words]
    if wrong:
        number, words = wrong[0]
        raise RuntimeError(f"process {number} of this run stopped: {words}")


def is_first(several: bool) -> bool:
    """Whether this process is the first, or alone."""
    return not several or jax.process_index() == 0


def _parts(several: bool, own: np.ndarray) -> np.ndarray:
    """(processes, ...) what each of them has, numbers in double precision."""
    if not several:
        return own[None]
    words = np.frombuffer(own.tobytes(), np.uint8)
    return _gathered(words).copy().view(float).reshape(-1, *own.shape)


def _gathered(own: np.ndarray) -> np.ndarray:
    """(processes, ...) what each of them has, as large as the others'."""
    from jax.experimental import multihost_utils

    if own.size == 0:
        return np.zeros((jax.process_count(), 0), own.dtype)
    return np.asarray(multihost_utils.process_allgather(own))
