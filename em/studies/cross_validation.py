"""Cross-validation of a mixture by the log-likelihood of rows that it was not fitted to."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np

from ..calls.arguments import split
from ..climb.search import climb_all
from ..driver import EM
from ..machine.arrays import array as as_jax
from ..machine.jit import NEVER, quick_jit
from ..machine.surroundings import surrounded
from ..options import as_key, number, whole
from ..programs import prepare, program_for
from ..report.of_data.scoring import log_densities
from ..rows.checks import check
from .replicates import of_rows, reweighed


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Held-out log-likelihood.

    Attributes:
        log_likelihood: ``sum_n w_n log p(x_n | fit without x_n's fold)``; higher is better.
        by_fold: (f,) its parts.
        per_row: (n,) ``log p(x_n)``, unweighted; of a chain one a sequence.
        folds: (n,) the fold of each row, or sequence.
        status: (f,) how the climb of each fold ended (`Status` codes).
    """

    log_likelihood: float
    by_fold: np.ndarray
    per_row: np.ndarray = field(repr=False)
    folds: np.ndarray = field(repr=False)
    status: np.ndarray


@surrounded
def cross_validate(
    model: Callable | EM,
    rng_key: jax.Array,
    *args: Any,
    num_folds: int = 5,
    num_restarts: int | None = None,
    max_steps: int | None = None,
    tolerance: float | None = None,
    **kwargs: Any,
) -> CrossValidation:
    """k-fold cross-validation of the log-likelihood (Smyth 2000, Statistics and Computing 10:63).

    The rows (of a chain, the sequences) of a fold get the weight 0, the model is fitted to the
    others as `EM` fits it, and the fold is scored. All folds, and a fit to all rows, are climbs of
    one compiled function.

    Args:
        model: a NumPyro model, or ``EM(model, ...)`` with the options to fit by.
        rng_key: a JAX key: it decides the folds and the starts.
        args: the model's positional arguments.
        num_folds: f.
        num_restarts: starts of every fold, if other than the EM's.
        max_steps: the bound on its EM steps, likewise.
        tolerance: when a climb stops, likewise.
        kwargs: the model's keyword arguments.

    Raises:
        ValueError: fewer than two folds, or more than rows; what `EM.run` raises for its data.
    """
    em = copy.copy(model) if isinstance(model, EM) else EM(model)
    for name, value in (("num_restarts", num_restarts), ("max_steps", max_steps)):
        if value is not None:
            whole(name, value)
            setattr(em, name, value)
    em.search = em.search and num_restarts is None
    if tolerance is not None:
        number("tolerance", tolerance, least=0)
        em.tolerance = tolerance
    whole("num_folds", num_folds, least=2)
    rng_key = as_key(rng_key)
    call = split(args, kwargs, em.model)
    program = program_for(em.model, call, em.objective == "posterior")
    rows, found = prepare(program, call.arrays)
    check(program, call.arrays, found)
    weights = np.asarray(rows.weights)
    units = np.asarray(program.structure.of_units(rows.weights))
    n = len(units)
    if n < 2:
        raise ValueError(
            f"cross_validate leaves whole sequences out, and {program.structure.latent.name!r} is "
            "a chain of one: compare by aic or bic"
        )
    if num_folds > n:
        raise ValueError(f"num_folds must be a whole number from 2 to {n}, not {num_folds!r}")
    key, sub = jax.random.split(rng_key)
    seed = np.asarray(jax.random.key_data(key)).ravel()
    folds = np.random.default_rng(seed).permutation(np.arange(n) % num_folds)
    per_row, status = np.zeros(n), np.zeros(num_folds, int)
    without = program.compiled("reweighed", lambda: quick_jit(program, partial(reweighed, program)))
    for fold, own in enumerate(jax.random.split(sub, num_folds)):
        held = folds == fold
        fewer = without(rows, as_jax(np.where(of_rows(program, held), 0, weights)))
        outcome, restarts = climb_all(em.ascent(program, fewer, own, found, patient=NEVER))
        best = restarts.chosen
        params = {name: as_jax(value[best]) for name, value in outcome.params.items()}
        per_row[held] = log_densities(program, params, rows.arrays)[held]
        status[fold] = restarts.status[best]
    terms = np.where(units > 0, units * per_row, 0).astype(float)
    by_fold = np.bincount(folds, terms, num_folds)
    return CrossValidation(float(terms.sum()), by_fold, per_row, folds, status)
