"""Compile fast rather than well, for what runs a few times on small data."""

from __future__ import annotations

from collections.abc import Callable

import jax

from .program import Program

# A program that does fewer multiplications than this runs in no time, however it is compiled.
_SMALL = 1e6


def quick_jit(program: Program, function: Callable) -> Callable:
    """``jax.jit`` with few optimisations where a run is nothing beside the compilation.

    Not to be called within another compiled function, which JAX refuses.
    """
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    small = program.work < _SMALL and jax.default_backend() == "cpu"
    return jax.jit(function, compiler_options=options if small else None)
