"""How functions run: by NumPy where compiling would take longer, else compiled for what they do."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import jax

from .batches import in_batches
from .by_numpy.interpret import interpreted
from .patience import Patient


class Working(Protocol):
    """What does so much: a program, say."""

    @property
    def work(self) -> float:
        """About how many multiplications one evaluation takes."""
        ...

    @property
    def turns(self) -> int:
        """How many steps of it wait for one another."""
        ...


# A program that does fewer multiplications than this runs in no time, however it is compiled.
_SMALL = 1e6
# And thousands of steps of one that does fewer than this take less than optimising it would.
_TINY = 1e4
# An evaluation of fewer is carried out by NumPy, so many of them together in less time than XLA
# takes to compile.
_MINUTE, _MINUTES = 3e6, 3e7
# More evaluations than NumPy would do.
_AGAIN = 1e6
# What a turn of a loop takes NumPy, in multiplications.
_TURN = 2e4
# What NumPy may begin: a step does fewer multiplications for each start, in fewer turns. Among many
# runs, which XLA compiles side by side, that pays for smaller ones only.
PATIENT, AMONG_MANY, NEVER, _TURNS = 1e5, 1e4, 0.0, 50
# Numbers that may stand side by side; multiplications of evaluations that run one by one.
_ROOM, _APART = 1e6, 1e5
_ONCE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
# Sums over small arrays are loops: XLA's library for them copies what it reads, and starts threads.
_OFTEN = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}
# Said in full, whatever XLA_FLAGS says of all other programs.
_WHOLE = {"xla_backend_optimization_level": 3, "xla_llvm_disable_expensive_passes": False}
_LARGE = _WHOLE | {"xla_cpu_prefer_vector_width": 512}
_LOOPS: dict[str, dict[str, Any]] = {"tiny": _ONCE, "small": _OFTEN, "large": _LARGE}


def quick_jit(program: Working, function: Callable, times: float = 1) -> Callable:
    """``jax.jit`` for what runs a few times: no compilation where a run is nothing beside it.

    ``times`` is about how many evaluations of the program all of its runs are together, counted in
    log joints of all rows. Not to be called within another compiled function, which JAX refuses.
    """
    if quick(program, times):
        return interpreted(function)
    return jax.jit(function, compiler_options=_options(_ONCE if _small(program) else _WHOLE))


def often_jit(program: Working, function: Callable) -> Callable:
    """`quick_jit` for what runs again and again, but is no loop."""
    return quick_jit(program, function, _AGAIN)


def once_jit(program: Working, function: Callable, times: float = 1) -> Any:
    """`quick_jit` for what runs once, also while JAX traces something else.

    Or again on arguments of the same shapes.
    """
    if quick(program, times):
        return interpreted(function)
    compiled = jax.jit(function, compiler_options=_options(_ONCE))
    ahead: list[Any] = []

    def run(*args: Any) -> Any:
        # Compiled ahead, so that it runs at once where models are read in a traced function.
        if not ahead:
            ahead.append(compiled.lower(*args).compile())
        return ahead[0](*args)

    return run


def quick(program: Working, times: float = 1) -> bool:
    """Whether NumPy carries out what is evaluated so many times."""
    effort = program.work + _TURN * program.turns
    return effort < min(_MINUTE, _MINUTES / max(times, 1))


def loop_jit(program: Working, function: Callable) -> Callable:
    """``jax.jit`` for a loop of many steps over the rows: not within another compiled function."""
    wanted = _LOOPS[effort(program)]
    return jax.jit(function, compiler_options=_options(wanted))


def climbing_jit(program: Working, function: Callable) -> Callable:
    """`loop_jit` for a loop that may end soon: NumPy begins it where the rows are few."""
    if jax.default_backend() != "cpu" or program.turns >= _TURNS:
        return loop_jit(program, function)
    # What is compiled in the end has shown that it is long.
    return Patient(function, _options(_OFTEN))


def effort(program: Working) -> str:
    """How `quick_jit` and `loop_jit` take a program."""
    return "tiny" if program.work < _TINY else "small" if _small(program) else "large"


def every(program: Working, number: int) -> Callable[[Callable], Callable]:
    """`jax.vmap` over so many where that takes little room, else as many at a time as it takes."""
    return in_batches(number, int(_ROOM // max(program.work, 1)))


def apart(program: Working) -> bool:
    """Whether many evaluations run one after the other, each by itself.

    Side by side their arrays of k numbers a row would be in nobody's cache. An accelerator has
    room for all.
    """
    return program.work > _APART and jax.default_backend() == "cpu"


def _small(program: Working) -> bool:
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
