"""A reading holds only as long as the model reads what it read: that is looked at again here."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .fingerprint import Fingerprint, Path, fingerprint, spelled

# No more than about this part of the time goes into looking.
_SHARE = 0.1


class Unchanged:
    """Whether a model, and what else it was given that is no data, are as they were when read.

    What the model itself changes as it runs (a counter, a memory) is left out.
    """

    def __init__(self, *things: Any) -> None:
        self._things = things
        self._until = 0.0
        self._found = self._look()
        self._restless: frozenset[Path] = frozenset()

    @property
    def steady(self) -> bool:
        """Whether all that the model reads is known, and no run of it changes anything."""
        return self._found.complete and not self._restless

    def settle(self) -> None:
        """To be called when the model has run: what is different now, it changes itself."""
        found = self._look()
        self._restless = frozenset(self._found.differences(found))
        self._found = found

    def check(self, surely: bool = False) -> None:
        """To be called before the model runs again; ``surely`` where that is not often.

        Raises:
            ValueError: something that the model reads has changed.
        """
        if time.perf_counter() < self._until and not surely:
            return
        changed = [p for p in self._found.differences(self._look()) if not self._is_restless(p)]
        if changed:
            self._until = 0.0
            names = ", ".join(dict.fromkeys(map(spelled, changed[:3])))
            raise ValueError(
                f"the model changed since it was read ({names}): what was fitted is no longer what "
                "it says. Fit again, or set it back to what it was"
            )

    def _is_restless(self, path: Path) -> bool:
        return any(path[:length] in self._restless for length in range(len(path) + 1))

    def _look(self) -> Fingerprint:
        began = time.perf_counter()
        found = fingerprint(*self._things)
        ended = time.perf_counter()
        self._until = ended + (ended - began) / _SHARE
        return replace(found, arrays=())
