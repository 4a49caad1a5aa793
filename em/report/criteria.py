"""What unclear classes cost a criterion."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..classes.posterior import posterior
from ..machine.jit import quick_jit
from ..plan.chunks import Rows
from ..plan.program import Params
from ..rows.over_rows import over_rows
from ..rows.streamed import Streamed
from .of_data.scoring import Scored, score


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
    if isinstance(result.rows, Streamed):
        return uncertainty(result).unclear
    penalty, found = 0.0, score(result, (), {})[0]
    for latent in program.structure.latents:
        best = np.asarray(found[latent.name]).max(1)
        weights = np.asarray(result.rows.weights_of(latent.level))
        used = weights > 0
        penalty -= 2 * float(weights[used] @ np.log(best[used]))
    return penalty


class Uncertainty(NamedTuple):
    """``-2 sum_n w_n log r_n,MAP`` of all latent classes, and the entropy of all of them."""

    unclear: Any
    entropy: Any


def uncertainty(result: Scored) -> Uncertainty:
    """How unclear the classes are, of rows that are read batch by batch: one pass."""
    program = result.program

    def of(params: Params, rows: Rows) -> Uncertainty:
        found = posterior(program, params, rows.arrays).marginals(program)
        unclear, total = jnp.zeros(()), jnp.zeros(())
        for latent in program.structure.latents:
            resp, weights = found[latent.name], rows.weights_of(latent.level)
            weights = weights[: len(resp)]
            unclear -= 2 * jnp.where(weights > 0, weights * jnp.log(resp.max(1)), 0).sum()
            terms = (resp * jnp.log(jnp.where(resp > 0, resp, 1))).sum(1)
            total -= jnp.where(weights > 0, weights * terms, 0).sum()
        return Uncertainty(unclear, total)

    compiled = program.compiled("uncertainty", lambda: quick_jit(program, of))
    return Uncertainty(*map(float, over_rows(compiled, result.free, result.rows)))


def entropy_of(result: Scored) -> float:
    """The entropy of a fit's own rows, of whatever classes these have."""
    if isinstance(result.rows, Streamed):
        return uncertainty(result).entropy
    ((_, found),) = score(result, (), {})[0].items()
    return entropy(result.rows.weights, found)


def entropy(weights: Any, responsibilities: Any) -> float:
    """``-sum_n w_n sum_k r_nk log r_nk`` of rows (n,) and their classes (..., k)."""
    resp = np.asarray(responsibilities, float)
    resp = resp.reshape(-1, resp.shape[-1])
    logs = np.log(np.where(resp > 0, resp, 1))
    return -float(np.asarray(weights, float) @ (resp * logs).sum(1))
