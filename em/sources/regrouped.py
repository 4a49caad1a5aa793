"""The same rows in blocks of another size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def regrouped(blocks: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same rows, exactly so many at a time but for the last."""
    kept: list[np.ndarray] = []
    number = 0
    for block in blocks:
        while len(block):
            piece, block = block[: size - number], block[size - number :]
            kept.append(piece)
            number += len(piece)
            if number == size:
                yield _joined(kept)
                kept, number = [], 0
    if kept:
        yield _joined(kept)


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    if len(pieces) == 1:
        return pieces[0]
    if len({p.shape[1:] for p in pieces}) > 1:
        raise ValueError(
            "the source of Batches gives rows of different shapes: "
            f"{', '.join(sorted({str(p.shape[1:]) for p in pieces}))}"
        )
    return np.concatenate(pieces)
