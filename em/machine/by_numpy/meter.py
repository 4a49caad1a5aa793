"""What NumPy spends on carrying out a function, by rule and not by the clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Seconds for an operation, one by indices or of matrices, one that JAX does, and for each number:
# measured on climbs of eight models.
_OPERATION, _DEAR, _FOREIGN, _NUMBER = 1.4e-6, 2.8e-5, 1e-4, 7e-10
_DEARER = ("gather", "scatter", "sort", "eigh", "cholesky", "triangular_solve")


def price(name: str, size: int, ours: bool) -> float:
    """Seconds for a primitive whose largest array has so many numbers, of NumPy or of JAX."""
    own = _DEAR if name.startswith(_DEARER) else _OPERATION
    return (own if ours else _FOREIGN) + _NUMBER * size


@dataclass
class Meter:
    """What NumPy has spent, in seconds by rule, and when the outermost loop is left to XLA.

    That is when ``compiling`` has been spent for each operation of the loop. ``options`` are those
    of XLA.
    """

    compiling: float
    options: dict[str, Any] | None = None
    operations: int = 0
    spent: float = 0.0
    tired: bool = False

    def spend(self, seconds: float) -> None:
        """So long for some operations."""
        self.spent += seconds
        self.tired |= self.spent >= self.compiling * self.operations
