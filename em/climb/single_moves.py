"""Rows of a k-means partition moved one by one, while that lowers the sum of squares."""

from __future__ import annotations

import numpy as np

_ROUNDS, _CHUNK = 100, 1 << 16
# So many multiplications of looking over all rows, and so many moves, are no long wait.
_LOOKS, _MOVES = 3e8, 20_000


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
            here = slice(row, row + 1)
            best, to = _gains(x[here], weights[here], labels[here], centroids, sizes)
            if best[0] > 0:
                _move(x[row], weights[row], int(labels[row]), int(to[0]), centroids, sizes)
                labels[row] = to[0]
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


def _gains(
    x: np.ndarray, weights: np.ndarray, labels: np.ndarray, centroids: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) what the best move of each row lowers the sum by, and where to; rounding is no gain."""
    rows = np.arange(len(x))
    squares = _distances(x, centroids)
    left = sizes[labels] - weights
    alone = left <= 1e-9 * sizes[labels]
    leave = np.where(alone, 0, sizes[labels] / np.where(alone, 1, left) * squares[rows, labels])
    w = weights[:, None]
    join = sizes / np.where(sizes + w > 0, sizes + w, 1) * squares
    join[rows, labels] = np.inf
    to = join.argmin(1)
    gain = leave - join[rows, to]
    return np.where((weights > 0) & (gain > 1e-9 * (leave + 1e-300)), weights * gain, 0), to


def _distances(x: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """(n, k) squared distances."""
    if len(x) == 1:
        return ((x - centroids) ** 2).sum(1)[None]
    squares = (x**2).sum(1)[:, None] - 2 * x @ centroids.T + (centroids**2).sum(1)
    return np.maximum(squares, 0)


def _parts(a: np.ndarray) -> list[np.ndarray]:
    return [a[i : i + _CHUNK] for i in range(0, len(a), _CHUNK)]
