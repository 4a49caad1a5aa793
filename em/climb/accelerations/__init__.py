"""Accelerations: faster ways up than EM's own step, one file each, found by being here."""

from __future__ import annotations

from ...machine.catalogue import named
from ._acceleration import Accelerate, Here, Proposal

__all__ = ["CATALOGUE", "Accelerate", "Here", "Proposal"]

CATALOGUE: dict[str, Accelerate] = named(__name__, __path__)
