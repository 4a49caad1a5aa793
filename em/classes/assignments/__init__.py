"""From log joints to classes: the ways to assign rows, one file each, found by being here."""

from __future__ import annotations

from ...machine.catalogue import named
from ._assignment import Assign, in_chunk
from ._schedule import Schedule, at, settles_after

__all__ = ["CATALOGUE", "Assign", "Schedule", "at", "in_chunk", "settles_after"]

CATALOGUE: dict[str, Assign] = named(__name__, __path__)
