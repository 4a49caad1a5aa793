"""The rungs of the M-step's ladder: one file each, found by being here."""

from __future__ import annotations

from ...machine.catalogue import named
from ...plan.blocks import Rung

__all__ = ["LADDER", "Rung"]

LADDER: tuple[Rung, ...] = tuple(sorted(named(__name__, __path__).values(), key=lambda r: r.place))
