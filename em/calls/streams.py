"""A call with `Batches` among its arguments: where they stand, and the call with arrays there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax

from ..sources.batches import Batches, Elsewhere
from .arguments import leaves_of, split
from .call import Call, is_data, is_leaf


@dataclass(frozen=True)
class Data:
    """The arguments of a call with `Batches` among them."""

    args: tuple
    kwargs: Mapping[str, Any]
    streams: tuple[Batches, ...]
    places: tuple[int, ...]

    def call(self, arrays: Sequence[Any], gaps: bool) -> Call:
        """The call with an array for each of the streams."""
        call = split(*self.arguments(arrays))
        return replace(call, gaps=call.gaps or gaps)

    def elsewhere(self, call: Call) -> Call:
        """That of a batch with the `Batches` themselves, which nothing that is compiled takes."""
        arrays: list[Any] = list(call.arrays)
        for place, stream in zip(self.places, self.streams, strict=True):
            arrays[place] = stream
        return replace(call, arrays=Elsewhere(arrays))

    def arguments(self, arrays: Sequence[Any]) -> tuple[tuple, dict[str, Any]]:
        """``(args, kwargs)`` with an array for each of the streams."""
        given = {id(s): a for s, a in zip(self.streams, arrays, strict=True)}
        return jax.tree.map(
            lambda leaf: given.get(id(leaf), leaf),
            (self.args, dict(self.kwargs)),
            is_leaf=is_leaf,
        )


def data_of(args: tuple, kwargs: Mapping[str, Any]) -> Data | None:
    """The data of a call; None if there are no `Batches` among its arguments."""
    streams: dict[int, Batches] = {}
    places: dict[int, int] = {}
    number = 0
    for leaf in leaves_of(args, dict(kwargs))[0]:
        if isinstance(leaf, Batches) and id(leaf) not in streams:
            streams[id(leaf)], places[id(leaf)] = leaf, number
        elif isinstance(leaf, Batches):
            raise ValueError(
                "one Batches stands for two arguments; give each argument Batches of its own"
            )
        number += is_data(leaf)
    if not streams:
        return None
    return Data(args, kwargs, tuple(streams.values()), tuple(places.values()))
