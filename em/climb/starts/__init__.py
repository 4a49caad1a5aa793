"""Starts: one file each, found by being here."""

from __future__ import annotations

from ...machine.catalogue import named
from ._start import Found, Revising, Start

__all__ = ["CATALOGUE", "Found", "Revising", "Start"]

CATALOGUE: dict[str, Start] = named(__name__, __path__)
