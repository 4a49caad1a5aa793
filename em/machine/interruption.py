"""Ctrl-C as a wish that long work looks at, where it would otherwise lose what it has."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

_raising: ContextVar[bool] = ContextVar("raising", default=False)


class Interruption:
    """While it is entered, the first Ctrl-C is noted as ``asked``; the next does what it ever did.

    So does the first as long as there is nothing to return: whoever works says when that is by
    ``ready``. Signals reach the main thread only, elsewhere nothing is changed; neither is it where
    Ctrl-C is ignored, or not Python's. Jupyter's button is the same signal.
    """

    def __init__(self) -> None:
        self.asked = False
        self.ready = False
        self._before: Any = None

    def __enter__(self) -> Self:
        own = threading.current_thread() is threading.main_thread() and not _raising.get()
        before = signal.getsignal(signal.SIGINT) if own else None
        if callable(before):
            self._before = before
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _note(self, number: int, frame: Any) -> None:
        if self.asked or not self.ready:
            self._before(number, frame)
        else:
            self.asked = True


@contextmanager
def raising() -> Iterator[None]:
    """Within it Ctrl-C raises `KeyboardInterrupt`: for work that is one of many pieces."""
    token = _raising.set(True)
    try:
        yield
    finally:
        _raising.reset(token)
