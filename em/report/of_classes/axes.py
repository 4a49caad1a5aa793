"""Which axes of the parameters number the classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...climb.reach import felt
from ...rows.streamed import one_batch_of

if TYPE_CHECKING:
    from ..result import Result


def class_axes(fit: Result) -> dict[str, int]:
    """{free parameter: the axis that numbers the classes}: entry j there reaches class j alone.

    Of the transitions of a chain that is the class before.
    """
    return {name: axes[0] for name, axes in axes_of(fit).items()}


def axes_of(fit: Result) -> dict[str, tuple[int, ...]]:
    """{free parameter: all axes that number the classes}; two of transitions."""
    program, k = fit.program, fit.program.num_components
    reach = felt(program, one_batch_of(fit.rows).arrays)
    found: dict[str, tuple[int, ...]] = {}
    start = 0
    for p in program.structure.free:
        size = math.prod(p.shape)
        own = reach[:, start : start + size].reshape(k, *p.shape)
        start += size
        axes = [axis for axis, size in enumerate(p.shape) if size == k]
        if p.name in {name for z in program.structure.latents for name in z.depends}:
            if program.structure.chain is None:
                axes = axes[:1] if p.shape == (k,) else []
        else:
            axes = [a for a in axes if _numbers(np.moveaxis(own, a + 1, 1))][:1]
        if axes:
            found[p.name] = tuple(axes)
    return found


def _numbers(own: np.ndarray) -> bool:
    """Whether of (k, k, ...) only (j, j, ...) holds."""
    other = ~np.eye(len(own), dtype=bool)
    return bool(own.any() and not own[other].any())
