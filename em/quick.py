"""Compile fast rather than well, for what runs a few times on small data."""

from __future__ import annotations

from collections.abc import Callable

import jax

from .program import Program

# A program that does fewer multiplications than this runs in no time, however it is compiled.
_SMALL = 1e6
_MOST = {"xla_backend_optimization_level": 1}
_FEW = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def quick_jit(program: Program, function: Callable, *, often: bool = False) -> Callable:
    """``jax.jit`` with few optimisations where a run is nothing beside the compilation.

    ``often`` is for loops of many steps: only the optimisations are left out that gain next to
    nothing there. Not to be called within another compiled function, which JAX refuses.
    """
    options = _MOST if often else _FEW
    small = program.work < _SMALL and jax.default_backend() == "cpu"
    return jax.jit(function, compiler_options=options if small else None)
