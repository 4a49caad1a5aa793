"""The part of EM's Q that a block's parameters enter."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ..plan.blocks import Block, StatisticalSite
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..rows import point, row_density
from .by_component import weighted_sum
from .expectation import Expectation, site_statistics


def expected_log_likelihood(
    program: Program, block: Block, expected: Expectation, rows: Rows
) -> Callable[[Params], jax.Array]:
    """The part of EM's Q that a block's parameters enter, as a function of all parameters.

    Sites with statistics give ``sum_k <eta_k, S_k> - N_k A_k``, whose cost does not depend on n;
    the others their responsibility-weighted log densities, by whom the E-step has them too.
    """
    sites = [s for s in program.sites if s.name in block.sites]
    statistical = [s for s in sites if isinstance(s, StatisticalSite)]
    names = [s.name for s in statistical]
    statistics = site_statistics(program, expected, rows, names)
    scored = [s for s in program.scored if s.name in block.sites]
    replayed = tuple(n for n in program.replayed_sites if n in block.sites)
    priors = [s for s in program.priors if s.name in block.sites]
    levels = sorted({s.level for s in sites if s.name in replayed})

    def objective(new: Params) -> jax.Array:
        total = jnp.zeros(())
        asked = [s.name for s in (*statistical, *scored)]
        args = point.arguments(program, new, rows, asked) if asked else {}
        for site in statistical:
            eta, normaliser = site.family.natural(args[site.name], rows.reference[site.name])
            stats = statistics[site.name]
            total = total + (eta * stats.sums).sum() - (normaliser * stats.count).sum()
        for own in scored:
            by_row = row_density.own_log_density(own, args[own.name], rows)
            total = total + _weighted(expected, rows, by_row, own.level)
        for level in levels:
            log_density = row_density.log_density(program, new, rows, replayed, level)
            total = total + _weighted(expected, rows, log_density, level)
        for level in sorted({s.level for s in priors}):
            # All classes of the level at once: what does not depend on the block is constant.
            log_weights = point.log_weights(program, new, rows, level)
            if log_weights.ndim == 1:
                counts = expected.prior_counts(level)
                # 0 log 0 is 0, for a component that is impossible.
                total = total + jnp.where(counts > 0, counts * log_weights, 0).sum()
            elif expected.pairs is not None:
                total = total + weighted_sum(expected.pairs, log_weights)
            else:
                total = total + _weighted(expected, rows, log_weights, level)
        return total + program.auxiliary(new, rows.arrays, block.auxiliary)

    return objective


def weighted_rows(expected: Expectation, rows: Rows, level: int) -> jax.Array | None:
    """(k, n) responsibilities times row weights, where they are kept."""
    resp = expected.responsibilities.get(level)
    return None if resp is None else resp * rows.weights_of(level)


def _weighted(expected: Expectation, rows: Rows, log_density: jax.Array, level: int) -> jax.Array:
    weights = weighted_rows(expected, rows, level)
    assert weights is not None
    return weighted_sum(weights, log_density)
