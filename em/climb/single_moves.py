"""Rows of a k-means partition moved one by one, while that lowers the sum of squares."""

from __future__ import annotations

import numpy as np

_ROUNDS, _CHUNK = 100, 1 << 16
# So many multiplications of looking over all rows, and so many moves, are no long wait.
_LOOKS, _MOVES = 3e8, 20_000
# A cluster is its row alone if so little of its weight is left; smaller gains may be rounding.
_ALONE, _ROUNDING = 1e-9, 1e-9


def moved(x: np.ndarray, weights: np.ndarray, centroids: np.ndarray) -> np.ndarray | None:
    """The centroids (k, d) after the single moves of rows (n, d) that help; None if none does.

    Lloyd's algorithm ends where every row is nearest to its own centroid. A row of weight w that
    leaves a cluster of weight W lowers the sum of squares by ``w W / (W - w) ||x - c||^2``, and one
    that joins raises it by ``w W / (W + w) ||x - c||^2``: as centroids move along, moves may help
    yet (Hartigan & Wong 1979, Applied Statistics 28:100). Where none does, Lloyd's steps do nothing
    either. Of large data only the best moves are made.
    """
    labels = np.concatenate([_distances(part, centroids).argmin(1) for part in _parts(x)])
    sizes = np.bincount(labels, weights, len(centroids))
    centroids = centroids.copy()
    ever, left = False, _MOVES
    for _ in range(min(_ROUNDS, 1 + int(_LOOKS // (x.size * len(centroids))))):
        gains = [
            _gains(part, w, own, centroids, sizes)[0]
            for part, w, own in zip(_parts(x), _parts(weights), _parts(labels), strict=True)
        ]
        gain = np.concatenate(gains)
        helped = False
        promising = min(int(np.count_nonzero(gain > 0)), left)
        left -= promising
        for row in np.argsort(-gain, kind="stable")[:promising]:
            old = int(labels[row])
            new = _better(x[row], weights[row], old, centroids, sizes)
            if new is not None:
                _move(x[row], weights[row], old, new, centroids, sizes)
                labels[row] = new
                helped = ever = True
        if not helped:
            break
    return centroids if ever else None


def _move(
    x: np.ndarray, weight: float, old: int, new: int, centroids: np.ndarray, sizes: np.ndarray
) -> None:
    sizes[old] -= weight
    sizes[new] += weight
    centroids[old] -= weight / sizes[old] * (x - centroids[old])
    centroids[new] += weight / sizes[new] * (x - centroids[new])


def _better(
    x: np.ndarray, weight: float, old: int, centroids: np.ndarray, sizes: np.ndarray
) -> int | None:
    """Where the best move of one row leads, if it helps: `_gains`, which is slow of one."""
    left = sizes[old] - weight
    if weight <= 0 or left <= _ALONE * sizes[old]:
        return None
    apart = centroids - x
    squares = np.einsum("kd,kd->k", apart, apart)
    leave = sizes[old] / left * squares[old]
    join = sizes / (sizes + weight) * squares
    join[old] = np.inf
    new = int(join.argmin())
    return new if leave - join[new] > _ROUNDING * (leave + 1e-300) else None


def _gains(
    x: np.ndarray, weights: np.ndarray, labels: np.ndarray, centroids: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) what the best move of each row lowers the sum by, and where to; rounding is no gain."""
    rows = np.arange(len(x))
    squares = _distances(x, centroids)
    left = sizes[labels] - weights
    alone = left <= _ALONE * sizes[labels]
    leave = np.where(alone, 0, sizes[labels] / np.where(alone, 1, left) * squares[rows, labels])
    w = weights[:, None]
    join = sizes / np.where(sizes + w > 0, sizes + w, 1) * squares
    join[rows, labels] = np.inf
    to = join.argmin(1)
    gain = leave - join[rows, to]
    helps = (weights > 0) & (gain > _ROUNDING * (leave + 1e-300))
    return np.where(helps, weights * gain, 0), to


def _distances(x: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """(n, k) squared distances."""
    squares = (x**2).sum(1)[:, None] - 2 * x @ centroids.T + (centroids**2).sum(1)
    return np.maximum(squares, 0)


def _parts(a: np.ndarray) -> list[np.ndarray]:
    return [a[i : i + _CHUNK] for i in range(0, len(a), _CHUNK)]
