"""A fit is asked in the precision that it was made in, by one thread, whatever JAX is set to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, wraps
from typing import Any

import jax
import numpy as np

from ..machine.surroundings import surroundings


def precision_of(fit: Any) -> AbstractContextManager:
    """JAX's double precision, in this thread and while it lasts, for a fit that was made in it."""
    return precision_of_numbers((getattr(fit.rows, "common", fit.rows).weights,))


def precision_of_numbers(numbers: Iterable[Any]) -> AbstractContextManager:
    """The same for what holds such numbers."""
    double = any(np.dtype(v.dtype) == np.float64 for v in numbers)
    return jax.enable_x64(True) if double and not jax.config.jax_enable_x64 else nullcontext()


def in_precision[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """The function in the precision of the first fit among its arguments, one thread at a time."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        fits = (v for v in (*args, *kwargs.values()) if hasattr(v, "restart_results"))
        fit = next(fits, None)
        with nullcontext() if fit is None else precision_of(fit), surroundings():
            return function(*args, **kwargs)

    return inner


def in_own_precision[C: type](of: Callable[[Any], Any]) -> Callable[[C], C]:
    """What is public of a class, in the precision of the fit ``of(self)``, one thread at a time."""

    def within(function: Callable) -> Callable:
        @wraps(function)
        def inner(self: Any, *args: Any, **kwargs: Any) -> Any:
            with precision_of(of(self)), surroundings():
                return function(self, *args, **kwargs)

        return inner

    def decorate(kind: C) -> C:
        for name, member in list(vars(kind).items()):
            if name.startswith("_"):
                continue
            again: Any = None
            if isinstance(member, cached_property):
                again = cached_property(within(member.func))
                again.__set_name__(kind, name)
            elif isinstance(member, property) and member.fget is not None:
                again = property(within(member.fget), doc=member.__doc__)
            elif callable(member):
                again = within(member)
            if again is not None:
                setattr(kind, name, again)
        return kind

    return decorate
