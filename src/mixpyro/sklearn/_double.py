"""Fits in double precision, wherever they are asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any

import jax

from ..em.report import storage
from ..em.report.fit import Fit
from ..em.report.result import Result


def in_double[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """The function with JAX's double precision switched on while it runs, in this thread only."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return inner


class DoubleFit(Fit):
    """A `Fit` whose methods and attributes are worked out in double precision.

    Otherwise an estimator's ``fit_`` would be asked in JAX's default precision, which truncates its
    numbers.
    """

    @in_double
    def __reduce__(self) -> tuple:
        """As of a `Fit`, but read again in double precision."""
        return _restored, (type(self), *storage.parts(self))


def doubled(fit: Fit) -> DoubleFit:
    """The same fit as a `DoubleFit`."""
    return DoubleFit(**{f.name: getattr(fit, f.name) for f in dataclasses.fields(fit)})


@in_double
def _restored(*parts: Any) -> Any:
    return storage.restored(*parts)


def _wrap(name: str, member: Any) -> None:
    if isinstance(member, cached_property):
        again: Any = cached_property(in_double(member.func))
        again.__set_name__(DoubleFit, name)
    elif isinstance(member, property):
        assert member.fget is not None
        again = property(in_double(member.fget), doc=member.__doc__)
    else:
        again = in_double(member)
    setattr(DoubleFit, name, again)


for _kind in (Result, Fit):
    for _name, _member in list(vars(_kind).items()):
        if not _name.startswith("_") and (
            callable(_member) or isinstance(_member, property | cached_property)
        ):
            _wrap(_name, _member)
