"""The directions in which estimates can move, and those of them in which the likelihood is flat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .scores import scaling

# Squared scores this small along a flat direction count as none (information is scaled to 1).
_NO_SCORE = 1e-4
# Curvature that a gradient which is not quite 0 leaves along a bent ridge, in units of the
# gradient times the squared length of the direction.
_BENT = 10.0
# Curvature that is rounding alone; and the share of what labelled rows would tell of a direction
# from which on the data tell something, in double and in single precision.
_ROUNDING, _TOLD = {64: 1e-12, 32: 1e-5}, {64: 1e-6, 32: 1e-3}


class Directions(NamedTuple):
    """The information in the directions that move an estimate off no edge of its support.

    ``basis`` (m, q) are such directions of the unconstrained coordinates, scaled so that each has
    unit information; ``values`` (q,) and ``vectors`` (q, q) are the eigenvalues and eigenvectors
    of the information in them, ``flat`` (q,) says along which of these the likelihood is flat.
    """

    basis: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    flat: np.ndarray

    @property
    def null(self) -> np.ndarray:
        """(m, r) the flat directions, in unconstrained coordinates."""
        return self.basis @ self.vectors[:, self.flat]

    @property
    def covariance(self) -> np.ndarray:
        """(m, m) the inverse information; flat directions left out (their variance is infinite)."""
        kept = ~self.flat & (self.values > 1e-12)
        root = self.basis @ (self.vectors[:, kept] / np.sqrt(self.values[kept]))
        return root @ root.T

    def undetermined(self, jacobian: np.ndarray) -> np.ndarray:
        """Which entries, whose derivatives (entries, m) these are, move along a flat direction."""
        moves = jacobian @ self.basis
        length = np.abs(moves).max(1, keepdims=True, initial=0)  # first: squares may overflow
        moves = moves / np.where(length > 0, length, 1)
        length = np.linalg.norm(moves, axis=1, keepdims=True)
        share = (moves / np.where(length > 0, length, 1)) @ self.vectors[:, self.flat]
        return (np.abs(share) > 1e-3).any(-1)


def directions(
    matrix: np.ndarray,
    slope: np.ndarray,
    gram: Callable[[], np.ndarray],
    complete: Callable[[], np.ndarray],
    feasible: np.ndarray,
    dtype: Any,
) -> Directions:
    """The directions of an information matrix (m, m), among the ``feasible`` ones (m, q).

    A direction is flat if it has no curvature and no row's score feels it: a density with a corner
    (Laplace) has no curvature, yet its rows do feel the direction. ``slope`` (m,) is the gradient
    of the objective: along a bent ridge on which nothing changes, what is left of it shows as
    curvature, and so does the hair by which an estimate was moved off its edge. Where labelled
    rows, whose information is ``complete()`` (m, m), would tell hardly more of it, little curvature
    is a matter of scale: of the means of columns whose correlation is nearly 1.
    """
    size = feasible.shape[1]
    if not (size and np.isfinite(matrix).all()):
        none = np.zeros(0)
        return Directions(np.zeros((len(matrix), 0)), none, np.zeros((0, 0)), none.astype(bool))
    inner = feasible.T @ matrix @ feasible
    scale = scaling(inner)
    basis = feasible * scale
    values, vectors = np.linalg.eigh(inner * scale[:, None] * scale)
    moves = basis @ vectors
    bits = 64 if np.finfo(np.dtype(dtype)).bits > 32 else 32
    limit = {64: 1e-9, 32: 1e-4}[bits]
    steepest = np.abs(feasible.T @ slope).max()
    with np.errstate(over="ignore", invalid="ignore"):  # infinite: the rows' scores decide
        bent = _BENT * steepest * (moves**2).sum(0) if np.isfinite(steepest) else 0.0
        flat = values < np.maximum(limit, bent)
        if flat.any():
            felt = _along(moves, gram())
            flat &= felt < _NO_SCORE
            # What rounding leaves as curvature no row's score feels.
            small = flat & (values > _ROUNDING[bits]) & (felt > values / 100)
            if small.any():
                flat &= ~small | (values < _TOLD[bits] * _along(moves, complete()))
    return Directions(basis, values, vectors, flat)


def _along(moves: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(q,) a quadratic form (m, m) of each column of moves (m, q)."""
    return np.einsum("iq,ij,jq->q", moves, matrix, moves)


def feasible(
    jacobian: Mapping[str, np.ndarray],
    boundary: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    dtype: Any,
) -> np.ndarray:
    """(m, q) the directions of unconstrained coordinates that move entries inside their support.

    What an estimate at an edge could do is no direction: mass that moves between two probabilities
    of 0 moves nothing, and may not. ``jacobian`` {site: (entries, m)}, ``boundary`` {site: (...)},
    ``sizes`` {site: how many of the m coordinates are its own}, in order of the names.
    """
    smallest = 1e-6 if np.finfo(np.dtype(dtype)).bits > 32 else 1e-3
    total, first, blocks = sum(sizes.values()), 0, [np.zeros((sum(sizes.values()), 0))]
    for name in sorted(sizes):
        own = slice(first, first + sizes[name])
        first = own.stop
        axes, inside = np.eye(sizes[name]), ~boundary[name].ravel()
        if not inside.all():
            rows = np.nan_to_num(jacobian[name][inside, own])
            length = np.linalg.norm(rows, axis=1, keepdims=True)
            _, values, axes = np.linalg.svd(rows / np.where(length > 0, length, 1), False)
            axes = axes[values > smallest]
        blocks.append(np.eye(total)[:, own] @ axes.T)
    return np.concatenate(blocks, 1)
