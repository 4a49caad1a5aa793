"""What a start is: responsibilities to begin from; the first M-step does the rest."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

_SOFTNESS = 0.1
# Rows farther from a centre than so many times what rows are from their own give it no part, if it
# has so many rows of its own for each of their numbers.
_FAR, _ENOUGH = 20.0, 3


@runtime_checkable
class Start(Protocol):
    """Puts rows into components before anything is known of these.

    A value that can be hashed: what is compiled for it is found again by it.
    """

    @property
    def chance(self) -> bool:
        """Whether another key gives another start; what is always the same is climbed from once."""
        return True

    @property
    def elsewhere(self) -> Start | None:
        """What takes every other turn, the first among them, where rows are no clusters of points.

        That is so of regressions, of proportions, and of no more units than components.
        """
        return None

    def in_parts(self, parts: int) -> Start:
        """The same start of rows that lie in so many equal parts, each on a device of its own."""
        del parts
        return self

    def responsibilities(
        self,
        points: jax.Array,
        weights: jax.Array,
        labels: jax.Array | None,
        k: int,
        key: jax.Array,
        hard: bool,
    ) -> jax.Array:
        """(n, k) starting responsibilities, 0 or 1 if ``hard``.

        ``points`` (n, m) are the rows' numbers, of scales that can be compared, ``weights`` (n,)
        theirs (0 for rows that fill up), ``labels`` (n,) the components that are known, negative
        where one is not.
        """
        ...


@runtime_checkable
class Revising(Start, Protocol):
    """A start that changes what was found so far; before that it is a `Start` like others."""

    def revise(
        self, found: jax.Array, points: jax.Array, weights: jax.Array, key: jax.Array, hard: bool
    ) -> jax.Array:
        """(n, k) starting responsibilities of those (n, k) that were found."""
        ...


class Found(NamedTuple):
    """(n, k) the responsibilities of the best climb so far, for a start that revises them."""

    responsibilities: jax.Array


def softened(
    groups: jax.Array,
    k: int,
    hard: bool,
    dtype: jax.typing.DTypeLike,
    softness: float = _SOFTNESS,
) -> jax.Array:
    """(n, k) responsibilities of groups (n,), as ``hard`` ones or a part given to all components.

    So that, in soft EM, a group of one or two rows does not begin as a singular component.
    """
    softness = 0.0 if hard or k == 1 else softness
    one_hot = jax.nn.one_hot(groups, k, dtype=dtype)
    return (1 - softness) * one_hot + softness / k


def softened_nearby(
    squares: jax.Array, weights: jax.Array, hard: bool, num_columns: int
) -> jax.Array:
    """(n, k) the same of the centre that is nearest, by squared distances (n, k).

    A hundredth of rows that lie a thousand widths away would be all that there is to see of a
    group: where groups of enough rows are so far apart, they take no part of each other.
    """
    k = squares.shape[1]
    nearest = softened(squares.argmin(1), k, hard, weights.dtype)
    if hard or k == 1:
        return nearest
    least = squares.min(1)
    typical = (weights * least).sum() / weights.sum()
    other = squares > least[:, None]
    enough = weights @ ~other >= _ENOUGH * (num_columns + 1)
    far = other & (squares > _FAR**2 * typical) & (typical > 0) & enough
    kept = jnp.where(far, 0, nearest)
    return kept / kept.sum(1, keepdims=True)
