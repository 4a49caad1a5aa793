"""Where the primitives are noted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

Array = np.ndarray
# {primitive: make(**parameters)}, which returns function(*arrays); where there are several results
# that returns a list of them.
TABLE: dict[str, Callable[..., Callable]] = {}


def primitive(*names: str) -> Callable[[Callable], Callable]:
    """Note a function(*arrays, **parameters) as what these primitives do."""

    def note(function: Callable) -> Callable:
        TABLE.update(dict.fromkeys(names, lambda **parameters: partial(function, **parameters)))
        return function

    return note


def prepared(*names: str) -> Callable[[Callable], Callable]:
    """Note a make(**parameters): what the parameters settle is worked out once an equation."""

    def note(make: Callable) -> Callable:
        TABLE.update(dict.fromkeys(names, make))
        return make

    return note


def plain(function: Callable) -> Callable:
    """Without the parameters (accuracy and the like), which say nothing here."""
    return lambda **_: function
