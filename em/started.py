"""A run between its reading and its climbs."""

from __future__ import annotations

from typing import Any, NamedTuple

from .calls.call import Call
from .climb.ascent import Ascent


class Started(NamedTuple):
    """A run that has everything but its climbs; ``found`` is what the checks saw of the data.

    Without ``look`` the status of its fit will say how the climb ended, and no more.
    """

    call: Call
    found: dict[str, Any]
    ascent: Ascent
    look: bool
