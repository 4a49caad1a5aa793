"""What the processes of one run agree on, so that all of them do the same next."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from .shards import Shards


def agreed(shards: Shards | None, values: Sequence[float]) -> list[float]:
    """The largest of each value among the processes that have rows of a run."""
    own = np.asarray(values, np.float32)
    return [float(v) for v in _gathered(own).max(0)] if _several(shards) else list(own.tolist())


def from_first(shards: Shards | None, data: bytes) -> bytes:
    """What the first process has; the others' is not looked at."""
    if not _several(shards):
        return data
    from jax.experimental import multihost_utils

    own = np.frombuffer(data if is_first(shards) else b"", np.uint8)
    (size,) = _gathered(np.asarray([own.size], np.int32)).max(0)
    room = np.zeros(int(size), np.uint8)
    room[: own.size] = own
    return bytes(np.asarray(multihost_utils.broadcast_one_to_all(room), np.uint8))


def from_each(shards: Shards | None, word: str) -> list[str]:
    """The words of all processes, as long as one another, in their order."""
    if not _several(shards):
        return [word]
    own = np.frombuffer(word.encode(), np.uint8)
    return [bytes(w.astype(np.uint8)).decode() for w in _gathered(own)]


def is_first(shards: Shards | None) -> bool:
    """Whether this process is the first, or alone."""
    return not _several(shards) or jax.process_index() == 0


def _several(shards: Shards | None) -> bool:
    return shards is not None and shards.several_processes


def _gathered(own: np.ndarray) -> np.ndarray:
    """(processes, ...) what each of them has."""
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(own))
