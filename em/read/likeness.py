"""New data for a fit have the shapes of the data that it was fitted to, but for rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from ..calls.arguments import places
from ..calls.call import Call
from .reader import Reader


@contextmanager
def misshapen(fitted: Reader, known: Call, new: Call) -> Iterator[None]:
    """Read or score new data, and say which argument has another shape where that fails.

    Raises:
        ValueError: an argument of another rank; one column in the place of several, which would
            broadcast; other shapes than the model can take.
    """
    unlike = _unlike(fitted, known, new)
    never = [
        words
        for words, old, own in unlike
        if len(old) != len(own) or any(b == 1 for a, b in zip(old, own, strict=True) if a != b)
    ]
    if never:
        raise ValueError(_sentence(never))
    try:
        yield
    except (TypeError, ValueError, IndexError, jax.errors.JAXIndexError) as error:
        if not unlike:
            raise
        raise ValueError(_sentence([words for words, _, _ in unlike])) from error


def check_parameters(fitted: Reader, known: Call, reader: Reader, new: Call) -> None:
    """Parameters have the shapes that they were fitted in.

    Raises:
        ValueError: one has another.
    """
    shapes = {p.name: p.shape for p in fitted.structure.parameters}
    for p in reader.structure.parameters:
        if p.name in shapes and p.shape != shapes[p.name]:
            unlike = [words for words, _, _ in _unlike(fitted, known, new)]
            more = f": {_sentence(unlike)}" if unlike else ""
            raise ValueError(
                f"with the new data the parameter {p.name!r} has the shape {p.shape}; the fit has "
                f"{shapes[p.name]}{more}"
            )


def _unlike(fitted: Reader, known: Call, new: Call) -> list[tuple[str, tuple, tuple]]:
    """Arguments whose shapes differ in more than rows, in words, with both shapes."""
    sizes = {n for level in fitted.structure.levels for n in (*level.rows, level.num_rows)}
    old, found = places(fitted.source, known), []
    for name, place in places(fitted.source, new).items():
        if name not in old:
            continue
        before, now = known.arrays[old[name]].shape, new.arrays[place].shape
        same = len(before) == len(now) and all(
            a == b or a in sizes for a, b in zip(before, now, strict=True)
        )
        if not same:
            found.append(
                (f"argument {name!r} has the shape {now}, {before} when fitted", before, now)
            )
    return found


def _sentence(parts: list[str]) -> str:
    return f"{'; '.join(parts)}. Only the number of rows may differ"
