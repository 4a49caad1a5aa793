"""Settings and fixtures that every test may use."""

import os
from pathlib import Path

# Before JAX is imported. Set either variable to run the tests elsewhere, on a GPU say.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# A worker has a core of its own: more threads for its small matrices would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Programs of tests run a few times on small arrays, so that optimising them takes longer than it
# saves. What the library compiles for loops has options of its own, here as everywhere.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)
# Compiling is most of the tests' time: what one worker, or the last run, compiled is read back.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "xla")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.05")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import jax
import jax.monitoring
import jax.numpy as jnp
import pytest

# jax_numpy_rank_promotion stays at "allow": NumPyro itself promotes ranks, in log_prob of every
# family for one, and the latent class on a new left axis relies on that. Tests of plain array
# functions can ask for the fixture `strict_ranks`.

# Tracing makes many objects: searching them all for cycles again and again is a fifth of the time.
gc.freeze()
gc.set_threshold(100_000, 20, 100)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Search once for what was never closed: pytest would five times more, and Python at its end.

    With millions of objects each search takes seconds.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def strict_ranks() -> Iterator[None]:
    """Make JAX raise where arrays of different rank are broadcast silently."""
    with jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture(params=["float32", "float64"])
def precision(request: pytest.FixtureRequest) -> Iterator[jnp.dtype]:
    """Run the test in both precisions; the value is the default float dtype."""
    with jax.enable_x64(request.param == "float64"):
        yield jnp.dtype(request.param)


@pytest.fixture
def x64() -> Iterator[None]:
    """Run the test in float64 only."""
    with jax.enable_x64(True):
        yield


@dataclass(frozen=True)
class JaxWork:
    """Names of the functions that JAX traced, and of those that it compiled, in order."""

    traced: list[str] = field(default_factory=list)
    compiled: list[str] = field(default_factory=list)


_LISTENING: list[JaxWork] = []


def _note_event(event: str, _seconds: float, fun_name: str = "?", **_: object) -> None:
    for work in _LISTENING:
        if event == "/jax/core/compile/jaxpr_trace_duration":
            work.traced.append(fun_name)
        elif event == "/jax/core/compile/backend_compile_duration":
            work.compiled.append(fun_name)


# Once for the whole run: JAX had no public way to remove a listener before 0.9.
jax.monitoring.register_event_duration_secs_listener(_note_event)


@pytest.fixture
def watch_jax() -> Callable[[], AbstractContextManager[JaxWork]]:
    """Note what JAX traces and compiles inside a `with` block.

    Usage: `with watch_jax() as work: fit_again()`, then `assert work.compiled == []`.
    """

    @contextmanager
    def watch() -> Iterator[JaxWork]:
        work = JaxWork()
        _LISTENING.append(work)
        try:
            yield work
        finally:
            _LISTENING.remove(work)

    return watch


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own handler of Ctrl-C, which is ignored where tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
