"""Several processes for what is Python most of the time, of which a process runs one piece at once.

They are spawned: one that is forked would hang in JAX's threads. The main module is not run again
in them, so that scripts need no guard, and what is sent to them must be importable elsewhere.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from types import ModuleType
from typing import Any

# Two processes whose products each take all cores take turns at them.
_ALONE = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
# A process takes as long to start as two small fits take; from so many rows on XLA uses all cores.
_EACH, _ROWS, _MOST = 6, 100_000, 8


@contextmanager
def processes(
    number: int, begin: Callable[..., None], *args: Any
) -> Iterator[Callable[..., Future]]:
    """How to hand work to so many processes, each of which calls ``begin(*args)`` first.

    Where the block is left by an error, nobody waits for them.
    """
    pool = ProcessPoolExecutor(number, get_context("spawn"), _begin, (begin, args))

    def submit(function: Callable, *args: Any) -> Future:
        with _spawning():  # a process is started as there is work for it
            return pool.submit(function, *args)

    done = False
    try:
        yield submit
        done = True
    finally:
        pool.shutdown(wait=done, cancel_futures=True)


def cores() -> int:
    """How many of the machine's this process may use."""
    here = getattr(os, "sched_getaffinity", None)
    return len(here(0)) if here else os.cpu_count() or 1


def affordable(fits: int, rows: int) -> int:
    """How many processes pay for so many fits to so many rows; one within such a process."""
    if rows > _ROWS or parent_process() is not None:
        return 1
    return max(1, min(cores(), fits // _EACH, _MOST))


def _begin(begin: Callable[..., None], args: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    begin(*args)


@contextmanager
def _spawning() -> Iterator[None]:
    """What processes see that are started within: a thread each, and no main module to run."""
    before = {name: os.environ.get(name) for name in _ALONE}
    main = sys.modules["__main__"]
    os.environ.update(dict.fromkeys(_ALONE, "1"))
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
