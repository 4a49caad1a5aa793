"""Whether a latent class model fits the table of its items: G^2 and X^2."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np
from scipy import stats

from ..climb.status import Status
from ..machine.jit import loop_jit
from ..options import a_fit, as_key, number, whole
from ..plan.program import Params
from ..report.fit import Fit
from ..report.items import Items, by_row, items_of, log_probabilities, patterns
from ..report.precision import in_precision
from .replicates import each, from_params, simulator


@dataclass(frozen=True, eq=False)
class GoodnessOfFit:
    """G^2 and X^2 of a latent class model against the saturated one.

    Attributes:
        g_squared: ``2 sum_c O_c log(O_c / E_c)``, O the observed counts of cells, E the expected.
        chi_squared: ``sum_c (O_c - E_c)^2 / E_c``, empty cells included.
        df: the number of cells, less 1, less the number of free parameters.
        pvalue: of G^2 by the chi-squared law; NaN for df < 1. Where cells are many and rows few it
            means nothing: simulate it.
        bootstrap_pvalue: ``(1 + #{replicates >= g_squared}) / (b + 1)``; NaN without replicates.
        replicates: (b,) G^2 of data simulated from the fit and fitted again.
    """

    g_squared: float
    chi_squared: float
    df: int
    pvalue: float
    bootstrap_pvalue: float = np.nan
    replicates: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)


@in_precision
def goodness_of_fit(
    fit: Fit,
    rng_key: jax.Array | None = None,
    num_replicates: int = 0,
    *,
    max_steps: int = 1000,
    tolerance: float = 1e-6,
) -> GoodnessOfFit:
    """Compare a latent class model with the table of its items.

    Goodman (1974, Biometrika 61:215). With ``num_replicates`` the law of G^2 is simulated from the
    fit (Langeheine, Pannekoek & van de Pol 1996, Sociological Methods & Research 24:492): each
    simulated table is fitted from the fit's parameters, all in one compiled call.

    Raises:
        ValueError: no latent class model of categories, or entries that are missing.
    """
    a_fit("fit", fit, Fit)
    whole("num_replicates", num_replicates, least=0)
    if num_replicates:
        whole("num_replicates", num_replicates, least=2)
    whole("max_steps", max_steps)
    number("tolerance", tolerance, least=0)
    rng_key = None if rng_key is None else as_key(rng_key)
    items = items_of(fit)
    g_squared, chi_squared, cells = _distances(items)
    df = cells - 1 - fit.num_free_params
    pvalue = float(stats.chi2.sf(g_squared, df)) if df > 0 else np.nan
    if not num_replicates:
        return GoodnessOfFit(g_squared, chi_squared, df, pvalue)
    if rng_key is None:
        raise ValueError("simulating needs a key: goodness_of_fit(fit, rng_key, num_replicates=99)")
    program, (draw, given, own) = fit.program, simulator(fit, fit.program)
    climbing = partial(from_params, program, max_steps=max_steps, tolerance=tolerance)

    def one(free: Params, given: Any, key: jax.Array) -> tuple:
        rows = draw(key, given)
        outcome = climbing(rows, free)
        return outcome.objective, outcome.code, dict(rows.chunks.u)

    keys = jax.random.split(rng_key, num_replicates)

    def tables(keys: jax.Array, free: Params, given: Any) -> tuple:
        return each(program, partial(one, free, given), keys)

    name = ("tables", max_steps, tolerance, own)
    compiled = program.compiled(name, lambda: loop_jit(program, tables))
    objective, code, u = jax.tree.map(np.asarray, compiled(keys, fit.free, given))
    found = np.full(num_replicates, np.nan)
    for i in np.flatnonzero(code <= Status.MAX_STEPS):
        values = np.concatenate([by_row(v[i], program.num_rows).astype(int) for v in u.values()])
        _, counts = patterns(items._replace(values=values))
        saturated = (counts * np.log(counts / counts.sum())).sum()
        found[i] = 2 * (saturated - float(objective[i]))
    usable = found[np.isfinite(found)]
    simulated = (1 + (usable >= g_squared).sum()) / (1 + len(usable))
    return GoodnessOfFit(g_squared, chi_squared, df, pvalue, float(simulated), found)


def _distances(items: Items) -> tuple[float, float, int]:
    """G^2, X^2 and the number of cells."""
    rows, observed = patterns(items)
    expected = observed.sum() * np.exp(log_probabilities(items, rows))
    g_squared = 2 * float((observed * np.log(observed / expected)).sum())
    empty = observed.sum() - expected.sum()
    chi_squared = float(((observed - expected) ** 2 / expected).sum() + max(empty, 0.0))
    return g_squared, chi_squared, int(np.prod([seen.sum() for seen in items.seen], dtype=float))
