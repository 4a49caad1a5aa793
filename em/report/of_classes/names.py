"""Names of the classes, which tables, messages and pictures of a fit take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...calls.call import Call, Classes
from ...options import whole
from .axes import axes_of
from .reference import class_logits

if TYPE_CHECKING:
    from ..result import Result


def named[R: Result](fit: R, names: Any) -> R:
    """The same fit with names of its classes (see `Fit.named`)."""
    several = fit.program.structure.latents
    if len(several) > 1:
        raise ValueError(
            "names are of the classes of one latent class a row; this model has several "
            f"({', '.join(z.name for z in several)})"
        )
    new = replace(fit, call=renamed_call(fit, checked(names, fit.program.num_components)))
    known = {f.name for f in fields(fit)} | {"message"}
    vars(new).update({n: v for n, v in vars(fit).items() if n not in known})  # worked out before
    return new


def renamed_call(fit: Result, names: tuple[str, ...]) -> Call:
    """The call of a fit with these names of its classes, in their order."""
    words = {n: dict.fromkeys(axes, names) for n, axes in axes_of(fit).items()}
    if (logits := class_logits(fit)) is not None:
        words |= {n: {0: versus(names, logits.fixed)} for n in logits.sites}
    return replace(fit.call, classes=Classes(names, words))


def checked(names: Any, k: int) -> tuple[str, ...]:
    """One name a class.

    Raises:
        ValueError: no distinct words, or another number of them.
    """
    plural = isinstance(names, list | tuple | np.ndarray)
    found = tuple(names) if plural else ()
    if not plural or not all(isinstance(n, str) and n.strip() for n in found):
        raise ValueError(f"names must be words, one for each of the {k} classes, not {names!r}")
    if len(found) != k:
        raise ValueError(f"{len(found)} names are given; the fit has {k} classes")
    if twice := [n for n in found if found.count(n) > 1]:
        raise ValueError(f"two classes are called {twice[0]!r}; their names must differ")
    return tuple(map(str, found))


def class_names(call: Call, k: int) -> tuple[str, ...]:
    """What the classes are called: their numbers, if they have no names."""
    return call.classes.names or tuple(map(str, range(k)))


def numbered(call: Call, k: int) -> list[Any]:
    """What the classes are called in an index: their names, else their numbers."""
    return list(call.classes.names) or list(range(k))


def versus(names: tuple[str, ...], reference: int) -> tuple[str, ...]:
    """What the rows of coefficients against a class are called: ``2 vs 0``."""
    others = names[:reference] + names[reference + 1 :]
    return tuple(f"{name} vs {names[reference]}" for name in others)


def number_of(call: Call, k: int, reference: Any) -> int:
    """The number of a class that is meant by its number or name.

    Raises:
        ValueError: no such class.
    """
    names = call.classes.names
    if isinstance(reference, str) and names:
        if reference not in names:
            raise ValueError(
                f"reference must be one of the classes, {', '.join(names)}, not {reference!r}"
            )
        return names.index(reference)
    whole("reference", reference, least=0)
    if reference >= k:
        raise ValueError(f"reference must be one of the classes, 0 to {k - 1}, not {reference}")
    return int(reference)


def told(classes: Classes) -> dict[str, Any]:
    """What JSON holds of the names."""
    words = {
        n: {str(axis): list(own) for axis, own in axes.items()} for n, axes in classes.words.items()
    }
    return {"names": list(classes.names), "words": words}


def retold(found: Mapping[str, Any], k: int, shapes: Mapping[str, tuple[int, ...]]) -> Classes:
    """The names that a file holds, if it does.

    Raises:
        ValueError: other names than one a class, or one an entry of parameters of these shapes.
    """
    if not found.get("names"):
        return Classes()
    words = {
        str(n): {int(axis): tuple(map(str, own)) for axis, own in axes.items()}
        for n, axes in found["words"].items()
    }
    for n, axes in words.items():
        if any(len(own) != shapes[n][axis] for axis, own in axes.items()):
            raise ValueError(f"the file's names of classes are not those of {n!r}")
    return Classes(checked(found["names"], k), words)
