"""Where the primitives are noted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
# {primitive: function(*arrays, **parameters)}; those with several results return a list of them.
TABLE: dict[str, Callable] = {}


def primitive(*names: str) -> Callable[[Callable], Callable]:
    """Note a function as what these primitives do."""

    def note(function: Callable) -> Callable:
        TABLE.update(dict.fromkeys(names, function))
        return function

    return note


def plain(function: Callable) -> Callable:
    """Without the parameters (accuracy and the like), which say nothing here."""
    return lambda *arrays, **_: function(*arrays)
