"""Columns that say nothing beside others: the same in all rows, or linear functions of these."""

from __future__ import annotations

import numpy as np

# Rows by which a combination is looked for; it is judged by all of them.
_ROWS = 10_000
# An entry of a combination of columns of unit spread that counts.
_PART = 1e-2


def dependent(values: np.ndarray, names: list[str], tolerance: float, together: bool) -> list[str]:
    """What is wrong with columns (d, n), NaN where missing, a sentence each.

    A column may be the same in all rows. If columns have a covariance (``together``), a set of them
    may depend linearly: some combination has a spread of at most ``tolerance`` of theirs.
    """
    complete = values[:, np.isfinite(values).all(0)]
    if complete.shape[1] <= len(values):
        return []
    same = [bool(v.min() == v.max()) for v in complete]
    sentences = [
        f"{name} is the same in all rows" for name, s in zip(names, same, strict=True) if s
    ]
    kept = [j for j, s in enumerate(same) if not s]
    if len(kept) < 2 or not together:
        return sentences
    rest = complete[kept] - complete[kept].mean(1, keepdims=True)
    rest /= np.abs(rest).max(1, keepdims=True)  # first: squares may overflow
    rest /= rest.std(1, keepdims=True)
    step = -(-rest.shape[1] // _ROWS)
    left, _, _ = np.linalg.svd(rest[:, ::step], full_matrices=False)
    for combination in left.T[::-1]:
        spread = (combination @ rest).std()
        if spread > tolerance:
            break
        parts = [names[j] for j, c in zip(kept, combination, strict=True) if abs(c) > _PART]
        sentences.append(
            f"{', '.join(parts)} depend on one another linearly in all rows, but for "
            f"{spread:.0e} of their spread"
        )
    return sentences
