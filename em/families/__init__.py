"""The families with an M-step of their own: one file each, found by being here."""

from __future__ import annotations

import numpyro.distributions as dist

from ..machine.catalogue import classes
from ._family import Args, Augmented, Family, Statistics, Ties, standardise
from ._rows import RowFamily
from ._ties import by_cell, each_by_itself

__all__ = [
    "CATALOGUE",
    "Args",
    "Augmented",
    "Family",
    "RowFamily",
    "Statistics",
    "Ties",
    "by_cell",
    "each_by_itself",
    "find",
    "incomplete",
    "standardise",
]


def _discover() -> tuple[dict[type, Family], dict[type, Augmented]]:
    catalogue: dict[type, Family] = {}
    incomplete: dict[type, Augmented] = {}
    for item in classes(__name__, __path__):
        if issubclass(item, Family):
            catalogue.update(dict.fromkeys(item.distributions, item()))
            if issubclass(item, Augmented):
                incomplete.update(dict.fromkeys(item.completes, item()))
    return catalogue, incomplete


CATALOGUE, _INCOMPLETE = _discover()


def find(distribution: type[dist.Distribution]) -> Family | None:
    """The family of a NumPyro distribution type, if it has one."""
    return CATALOGUE.get(distribution)


def incomplete(distribution: type[dist.Distribution]) -> Augmented | None:
    """The family of events of which single entries are missing, if there is one."""
    return _INCOMPLETE.get(distribution)
