"""Catalogues: folders whose files are the entries, found by being there."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Any


def classes(package: str, path: Iterable[str]) -> Iterator[type]:
    """The classes that the files of a package define, by the order of the alphabet.

    Files whose names begin with an underscore are no entries: they have what entries share.
    """
    for module in pkgutil.iter_modules(path):
        if module.name.startswith("_"):
            continue
        name = f"{package}.{module.name}"
        for item in vars(importlib.import_module(name)).values():
            if isinstance(item, type) and item.__module__ == name:
                yield item


def named(package: str, path: Iterable[str]) -> dict[str, Any]:
    """{name: a value} of the classes in a package's files that have a ``name`` of their own."""
    found = ((vars(item).get("name"), item) for item in classes(package, path))
    return {name: item() for name, item in found if name is not None}
