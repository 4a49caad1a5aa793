"""Functions compiled for a model, kept for its next call until other models need the room.

XLA spends dozens of memory maps on a compiled function, and Linux allows a process 65530 of them
(``vm.max_map_count``): a process that fits a hundred different models would be taken down by it.
"""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

_MAPS, _MOST = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
# The share of the maps that may be taken before models that were not used lately are forgotten, and
# what one function takes at most. To count them takes tens of milliseconds where there are many.
_FULL, _EACH = 0.5, 256
_unseen = 0  # so many functions may be made before the next count

_clock = itertools.count()
_all: weakref.WeakSet[Compiled] = weakref.WeakSet()


class Compiled:
    """What was compiled for one reading of a model, by name.

    ``check`` is called before anything is made.
    """

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self._check = check
        self._kept: dict[Hashable, Any] = {}
        self._used = next(_clock)
        _all.add(self)

    def __call__(self, name: Hashable, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made once, or again if it was forgotten in between."""
        self._used = next(_clock)
        if name not in self._kept:
            self._check()
            if crowded():
                forget(self)
            self._kept[name] = make()
        return self._kept[name]


def crowded() -> bool:
    """Whether this process had taken half of the memory maps it may have, by the last count."""
    global _unseen
    if _unseen > 0:
        _unseen -= 1
        return False
    counted = _counted()
    if counted is None:
        return False
    taken, most = counted
    left = int(_FULL * most) - taken
    _unseen = max(left, 0) // _EACH
    return left < 0


def forget(current: Compiled) -> None:
    """Drop what was compiled for half of the other models, those not used for longest.

    The last used stays: a model and its plan are at work together. Where the process is as crowded
    without them, by what JAX keeps itself, functions may take half of what is left before others
    are dropped: to collect garbage for each of them would take seconds.
    """
    global _unseen
    others = [c for c in _all if c._kept and c is not current]
    others.sort(key=lambda c: c._used)
    oldest = others[: len(others) // 2]
    for other in oldest:
        other._kept.clear()
    if oldest:  # to collect takes long where there is much
        gc.collect()  # programs refer to themselves
    counted = _counted()
    if counted is not None:
        taken, most = counted
        _unseen = max(most - taken, 0) // 2 // _EACH


def _counted() -> tuple[int, int] | None:
    """How many maps this process has, and may have; None where no such limit is known."""
    try:
        return _MAPS.read_bytes().count(b"\n"), int(_MOST.read_text())
    except OSError:  # not Linux, or not to be read
        return None
