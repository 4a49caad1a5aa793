"""Tracing makes many objects at once: Python's search for cycles among them, put off for a while.

The collector starts a search for every 700 objects or so more than there were, and some searches
read every object there is. While JAX traces a model that is a fifth of the time, for next to
nothing found.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# So many more objects than were there start a search meanwhile.
_PUT_OFF = 100_000

_lock = threading.Lock()
_inside: list[tuple[int, int, int]] = []


@contextmanager
def put_off() -> Iterator[None]:
    """Fewer searches inside; the last to leave, of whatever thread, restores what was set."""
    with _lock:
        _inside.append(_inside[0] if _inside else gc.get_threshold())
        first, *others = _inside[0]
        if first:  # 0: somebody has switched the collector off
            gc.set_threshold(max(first, _PUT_OFF), *others)
    try:
        yield
    finally:
        with _lock:
            before = _inside.pop()
            if not _inside:
                gc.set_threshold(*before)
