"""How a log joint becomes responsibilities: the one thing in which EM's variants differ."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax


@runtime_checkable
class Assign(Protocol):
    """Turns a log joint into responsibilities: a value that can be hashed.

    Called with ``log_joint`` (k, n), rows last, it returns the responsibilities (k, n), whose
    columns sum to 1, and each row's term (n,) of the objective that this variant climbs.
    ``hard`` says that responsibilities are 0 or 1, so that the loop may stop when no row changes
    its component. One that is hard may have ``choose``, which returns the component of each row
    (n,) in place of its responsibilities: with many components that is cheaper.
    """

    @property
    def hard(self) -> bool:
        """Whether responsibilities are 0 or 1."""
        ...

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Responsibilities (k, n) and objective (n,)."""
        ...


def in_chunk(assign: Assign, number: Any) -> Assign:
    """The assignment of a chunk of rows: those that draw have a key for each (``in_chunk``)."""
    own = getattr(assign, "in_chunk", None)
    return assign if own is None else own(number)
