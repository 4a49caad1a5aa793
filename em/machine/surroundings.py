"""What surrounds the reading and tracing of models: one thread at a time, and JAX as it is meant.

NumPyro's handlers are one stack for the whole process: two threads that run models at once would
see each other's sites. And a user who looks for NaN or leaked tracers in functions of their own, or
forbids ranks or dtypes to be promoted in these, would stop at ours: NaN stands for what is missing
or not reached yet, models are read by abstract evaluation, and NumPyro promotes ranks itself.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

import jax

_models = threading.RLock()

# Tracing makes many objects at once, and Python's search for cycles among them, which reads every
# object there is, would be a fifth of its time: so many more than were there start one meanwhile.
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


@contextmanager
def surroundings() -> Iterator[None]:
    """Other threads wait, and JAX has its usual settings: this thread's, while it lasts."""
    with (
        _models,
        put_off(),
        jax.debug_nans(False),
        jax.debug_infs(False),
        jax.check_tracer_leaks(False),
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
    ):
        yield


def surrounded[**P, T](function: Callable[P, T]) -> Callable[P, T]:
    """The same function within `surroundings`."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with surroundings():
            return function(*args, **kwargs)

    return run
