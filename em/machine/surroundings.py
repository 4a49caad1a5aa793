"""What surrounds the reading and tracing of models: one thread at a time, and JAX as it is meant.

NumPyro's handlers are one stack for the whole process: two threads that run models at once would
see each other's sites. And a user who looks for NaN or leaked tracers in functions of their own, or
forbids ranks or dtypes to be promoted in these, would stop at ours: NaN stands for what is missing
or not reached yet, models are read by abstract evaluation, and NumPyro promotes ranks itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

import jax

from .garbage import put_off

_models = threading.RLock()


@contextmanager
def _own() -> Iterator[None]:
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
    """The same function, for which other threads wait and JAX has its usual settings.

    Settings are those of this thread and of the call; none that is global changes.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with _own():
            return function(*args, **kwargs)

    return run
