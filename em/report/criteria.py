"""What unclear classes cost a criterion."""

from __future__ import annotations

from typing import Any

import numpy as np

from .scoring import Scored, score


def unclear(result: Scored) -> float:
    """``-2 sum_n w_n log r_n,MAP`` of all latent classes, each by its own rows.

    Raises:
        ValueError: a chain, whose rows are not independent.
    """
    program = result.program
    if program.structure.chain is not None:
        raise ValueError(
            "the ICL is of rows that are independent given the parameters; those of a chain are "
            "not: use bic or aic"
        )
    penalty, found = 0.0, score(result, (), {})[0]
    for latent in program.structure.latents:
        best = np.asarray(found[latent.name]).max(1)
        weights = np.asarray(result.rows.weights_of(latent.level))
        used = weights > 0
        penalty -= 2 * float(weights[used] @ np.log(best[used]))
    return penalty


def entropy(weights: Any, responsibilities: Any) -> float:
    """``-sum_n w_n sum_k r_nk log r_nk`` of rows (n,) and their classes (..., k)."""
    resp = np.asarray(responsibilities, float)
    resp = resp.reshape(-1, resp.shape[-1])
    logs = np.log(np.where(resp > 0, resp, 1))
    return -float(np.asarray(weights, float) @ (resp * logs).sum(1))
