"""Sums over all rows of a run: at once, or batch by batch, of one process or of several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np

from ..machine.together import summed
from ..plan.chunks import Rows
from .streamed import Facts, Streamed


class Keeper(Protocol):
    """What looks between batches whether to write down how far a pass is."""

    @property
    def due(self) -> bool:
        """Whether it wants to."""
        ...

    def keep(self, batches: int, sums: Any, facts: Facts) -> None:
        """So many batches are summed."""
        ...


def over_rows(
    function: Callable,
    params: Any,
    rows: Rows | Streamed,
    keeper: Keeper | None = None,
    so_far: tuple[int, Any] = (0, None),
) -> Any:
    """``function(params, rows)``, a sum over rows: of batches, in double precision, of NumPy.

    ``so_far`` are batches that are summed already, and their sums; ``keeper`` is told of such. Of
    several processes each sums its own, all at the same call, and the result is the sum over all.
    """
    if isinstance(rows, Rows):
        return function(params, rows)
    with rows.whole_pass():
        own = _own_sum(function, params, rows, None if rows.several else keeper, so_far)
    return summed(rows.several, own)


def _own_sum(
    function: Callable,
    params: Any,
    rows: Streamed,
    keeper: Keeper | None,
    so_far: tuple[int, Any],
) -> Any:
    number = so_far[0]
    total = so_far[1] if number else None
    pending: Any = None

    def add(total: Any, found: Any) -> Any:
        new = jax.tree.map(lambda v: np.asarray(v, float), found)
        return new if total is None else jax.tree.map(np.add, total, new)

    for batch in rows.passed(number):
        found = function(params, batch)
        # Fetched one batch later, so that devices that work by themselves need not wait.
        total = total if pending is None else add(total, pending)
        pending, number = found, number + 1
        if keeper is not None and keeper.due:
            total, pending = add(total, pending), None
            keeper.keep(number, total, rows.seen)
    return total if pending is None else add(total, pending)
