"""Stepwise EM: parameters move after every batch, before a pass over all rows has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ...machine.together import summed
from ...options import whole
from ...plan.program import Params
from .compiled import Passes


@dataclass(frozen=True)
class Stepwise:
    """Stepwise (online) EM for `em.Batches`: ``em.EM(model, accelerate=em.Stepwise())``.

    The running statistics of a row take in those of each batch, ``s <- s + g_t (s_t - s)`` with
    ``g_t = t^-decay`` and t the number of the batch, and an M-step follows (Cappe & Moulines 2009,
    Journal of the Royal Statistical Society B 71:593, section 2.3). It is no ascent, but one pass
    makes as many M-steps as there are batches: it pays where starts are far from the optimum and
    batches many. Ordinary passes, accelerated, follow to the optimum.

    Args:
        decay: between 1/2 (excluded) and 1: how fast old batches are forgotten; slower near 1.
        passes: over the rows, before the ordinary ones.

    Raises:
        ValueError: a decay outside of that, or no whole number of passes.
    """

    decay: float = 0.6
    passes: int = 1

    def __post_init__(self) -> None:
        if not 0.5 < self.decay <= 1:
            raise ValueError(f"decay must be above 0.5 and at most 1, not {self.decay!r}")
        whole("passes", self.passes)


def stepped(rule: Stepwise, passes: Passes, params: Params) -> Params:
    """Parameters after the passes of stepwise EM from some."""
    average: Any = None
    number, seen = 0, 0.0
    rows, nothing = passes.rows, passes.nothing(params)
    for _ in range(rule.passes):
        for batch in rows.in_step():
            found = nothing if batch is None else passes.e_step(params, batch)
            own = jax.tree.map(lambda v: np.asarray(v, float), found)
            own = summed(rows.several, own)
            weight = float(np.asarray(own.counts).sum())
            number, seen = number + 1, seen + weight
            if not weight > 0:
                continue
            gain = 1.0 if average is None else number**-rule.decay

            def moved(old: Any, new: Any, gain: float = gain, weight: float = weight) -> Any:
                return old + gain * (new / weight - old)

            average = own if average is None else average
            average = jax.tree.map(moved, average, own)
            total = seen / number * rows.num_batches
            so_far = jax.tree.map(lambda v, total=total: v * total, average)
            params = passes.m_step(params, passes.rounded(so_far))
    return params
