"""A loop that NumPy begins, and XLA ends if it turns out to be long.

Compiling a climb takes XLA seconds; with small data NumPy does a few hundred steps in that time.
Which climbs are long shows as they go: those that have taken NumPy as long as compiling would, in
one call or in many, are compiled from where they stand, and from then on at once. That is never
more than twice what the better of both would have taken. What counts is how many numbers are made
by how many operations, never the clock: the same calls in the same order give the same numbers, and
any others the same but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .by_numpy.interpret import interpreted
from .by_numpy.meter import Meter

# Seconds that XLA takes for each operation of a loop.
_COMPILING = 1.5e-3


class Patient:
    """``function`` of pytrees of arrays, whose work is one ``while_loop``.

    ``options`` are those of XLA. Traced within another function it is that function's part.
    """

    def __init__(self, function: Callable, options: dict[str, Any] | None) -> None:
        self._meter = Meter(_COMPILING, options)
        self._run = interpreted(function, self._meter)

    def __call__(self, *args: Any) -> Any:
        """The results, by NumPy or by XLA."""
        return self._run(*args)

    @property
    def tired(self) -> bool:
        """Whether the loop is left to XLA."""
        return self._meter.tired
