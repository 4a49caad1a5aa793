"""Assignments that change as a climb goes on, and end as soft EM."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import jax

from ._assignment import Assign


@runtime_checkable
class Schedule(Protocol):
    """What assigns rows at each step; from ``num_steps`` on it is soft EM's own `Soft`.

    Until then the objective (the log-likelihood, whatever the assignment) may fall.
    """

    @property
    def num_steps(self) -> int:
        """How many steps differ from soft EM's."""
        ...

    def at(self, step: jax.Array, rng_key: jax.Array) -> Assign:
        """The assignment of one step, which is counted from 0."""
        ...


def at(assign: Assign, step: jax.Array, rng_key: jax.Array) -> Assign:
    """The assignment of one step."""
    if isinstance(assign, Schedule):
        return assign.at(step, jax.random.fold_in(rng_key, step))
    return assign


def settles_after(assign: Assign) -> int:
    """From which step on the stopping rules apply."""
    return assign.num_steps if isinstance(assign, Schedule) else 0
