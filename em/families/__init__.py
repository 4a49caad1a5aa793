"""The families with an M-step of their own: one file each, found by being here."""

from __future__ import annotations

import importlib
import pkgutil

import numpyro.distributions as dist

from ._family import Args, Augmented, Family, Statistics, Ties, standardise
from ._rows import RowFamily

__all__ = [
    "CATALOGUE",
    "Args",
    "Augmented",
    "Family",
    "RowFamily",
    "Statistics",
    "Ties",
    "find",
    "incomplete",
    "standardise",
]


def _discover() -> dict[type[dist.Distribution], Family]:
    catalogue: dict[type[dist.Distribution], Family] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        name = f"{__name__}.{module.name}"
        for item in vars(importlib.import_module(name)).values():
            own = isinstance(item, type) and item.__module__ == name
            if own and issubclass(item, Family):
                catalogue.update(dict.fromkeys(item.distributions, item()))
    return catalogue


CATALOGUE = _discover()


def find(distribution: type[dist.Distribution]) -> Family | None:
    """The family of a NumPyro distribution type, if it has one."""
    return CATALOGUE.get(distribution)


def incomplete(distribution: type[dist.Distribution]) -> Augmented:
    """The family of events of which single entries are missing."""
    family = find(distribution)
    partial = family.partial() if family is not None else None
    if partial is None:
        raise ValueError(f"{distribution.__name__} has no density for part of an event")
    return partial
