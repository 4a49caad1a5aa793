"""How XLA compiles what runs on CPUs: fast where that is most of the time, else for the loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import jax

if TYPE_CHECKING:
    from .reader import Reader

# A program that does fewer multiplications than this runs in no time, however it is compiled.
_SMALL = 1e6
# And thousands of steps of one that does fewer than this take less than optimising it would.
_TINY = 1e4
_ONCE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
# Sums over small arrays are loops: XLA's library for them copies what it reads, and starts threads.
_OFTEN = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}
_LARGE = {"xla_cpu_prefer_vector_width": 512}


def quick_jit(program: Reader, function: Callable) -> Callable:
    """``jax.jit`` with few optimisations where a run is nothing beside the compilation.

    Not to be called within another compiled function, which JAX refuses.
    """
    return jax.jit(function, compiler_options=_options(_ONCE if _small(program) else {}))


def once_jit(function: Callable) -> Any:
    """`quick_jit` for what runs once, whatever its size."""
    return jax.jit(function, compiler_options=_options(_ONCE))


def loop_jit(program: Reader, function: Callable) -> Callable:
    """``jax.jit`` for a loop of many steps over the rows: not within another compiled function."""
    wanted = _ONCE if program.work < _TINY else _OFTEN if _small(program) else _LARGE
    return jax.jit(function, compiler_options=_options(wanted))


def _small(program: Reader) -> bool:
    return program.work < _SMALL


def _options(wanted: dict[str, Any]) -> dict[str, Any] | None:
    """Those that this version of XLA knows; none of them change results beyond rounding."""
    if jax.default_backend() != "cpu":
        return None
    return {name: value for name, value in wanted.items() if _known(name, value)} or None


@cache
def _known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
