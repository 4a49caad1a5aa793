"""The bootstrap: standard errors and intervals of any fit, and a test of its components."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..classes.assignments.soft import Soft
from ..climb.loop import climb
from ..climb.outset import all_starts
from ..climb.selection import highest
from ..climb.starts.kmeans_plus_plus import KMeansPlusPlus
from ..climb.state import Outcome, Settings
from ..climb.status import Status
from ..machine.jit import loop_jit
from ..options import a_fit, as_key, number, one_of, whole
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..report.fit import Fit
from ..report.precision import in_precision
from ..report.words import label
from .replicates import (
    Replicator,
    each,
    from_params,
    of_rows,
    refuse_auxiliary,
    reweighed,
    simulator,
)

if TYPE_CHECKING:
    import pandas as pd

_ENDED = (Status.CONVERGED, Status.MAX_STEPS)


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Replicates of a fit.

    Attributes:
        fit: the fit itself.
        kind: ``"weighted"`` or ``"parametric"``.
        params: {site: (b, ...)} the estimates of the b replicates.
        status: (b,) how each ended (`Status` codes); those that collapsed are left out below.
    """

    fit: Fit
    kind: str
    params: dict[str, np.ndarray] = field(repr=False)
    status: np.ndarray = field(repr=False)

    @property
    def used(self) -> np.ndarray:
        """(b,) which replicates count: their climbs ended, and are finite."""
        finite = [np.isfinite(v.reshape(len(v), -1)).all(1) for v in self.params.values()]
        return np.isin(self.status, _ENDED) & np.all(finite, axis=0)

    def standard_errors(self) -> dict[str, np.ndarray]:
        """{site: the standard deviation over replicates}, divisor b - 1."""
        return {n: v[self.used].std(0, ddof=1) for n, v in self.params.items()}

    def interval(self, level: float = 0.95) -> dict[str, np.ndarray]:
        """{site: (2, ...)} percentile intervals (Efron & Tibshirani 1993, chapter 13)."""
        tail = (1 - level) / 2
        return {n: np.quantile(v[self.used], [tail, 1 - tail], 0) for n, v in self.params.items()}

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """One row an entry: estimate, standard error, bias, lower and upper percentile."""
        import pandas as pd

        errors, bounds = self.standard_errors(), self.interval(level)
        table = []
        for name, values in self.params.items():
            estimate = np.asarray(self.fit.leaves[name], float)
            mean = values[self.used].mean(0)
            for index in np.ndindex(estimate.shape):
                entry = label(self.fit.program, self.fit.call, name, index)
                if entry is None:
                    continue
                low, high = bounds[name][(0, *index)], bounds[name][(1, *index)]
                bias = mean[index] - estimate[index]
                table.append((entry, estimate[index], errors[name][index], bias, low, high))
        columns = ["parameter", "estimate", "standard_error", "bias", "lower", "upper"]
        return pd.DataFrame(table, columns=columns).set_index("parameter")


@in_precision
def bootstrap(
    fit: Fit,
    rng_key: jax.Array,
    *,
    num_replicates: int = 200,
    kind: str = "weighted",
    max_steps: int = 1000,
    tolerance: float = 1e-6,
) -> Bootstrap:
    """Fit replicates of the data, all in one compiled call.

    ``"weighted"`` gives the rows random weights, independent exponentials scaled to the same total
    (Newton & Raftery 1994, JRSS-B 56:3; O'Hagan et al. 2019, Computational Statistics 34:1779); a
    row of weight w gets a gamma number of shape w, as w rows would together. It needs nothing of
    the model. ``"parametric"`` simulates rows from the fit. Of chains, whole sequences are weighted
    or simulated. Every climb starts from the fit's parameters, so that components keep their
    places.

    Raises:
        ValueError: an unknown kind; a weighted bootstrap of a chain of one sequence; a parametric
            one of weighted or labelled rows, or where the observations are no argument of the
            model.
    """
    a_fit("fit", fit, Fit)
    one_of("kind", kind, ("weighted", "parametric"))
    whole("num_replicates", num_replicates, least=2)
    whole("max_steps", max_steps)
    number("tolerance", tolerance, least=0)
    program = fit.program
    refuse_auxiliary(program)
    chain = program.structure.chain
    if kind == "weighted" and chain is not None and chain.number < 2:
        raise ValueError(
            f"kind='weighted' weighs whole sequences, and {program.structure.latent.name!r} is a "
            "chain of one: use kind='parametric', which simulates it"
        )
    free = {p.name: fit.leaves[p.name] for p in program.structure.free}
    keys = jax.random.split(as_key(rng_key), num_replicates)
    climbing = partial(from_params, program, max_steps=max_steps, tolerance=tolerance)
    draw, given, own = simulator(fit, program) if kind != "weighted" else _weights_of(fit)

    def replicates(keys: jax.Array, params: Params, given: Any) -> tuple:
        return each(program, lambda key: _ended(climbing(draw(key, given), params)), keys)

    name = ("bootstrap", kind, max_steps, tolerance, own)
    compiled = program.compiled(name, lambda: loop_jit(program, replicates))
    params, status = compiled(keys, free, given)
    values = {n: np.asarray(params[n]) for n in fit.leaves if n in params}
    return Bootstrap(fit, kind, values, np.asarray(status))


def _weights_of(fit: Fit) -> Replicator:
    """Rows with random weights."""
    program = fit.program

    def draw(rng_key: jax.Array, rows: Rows) -> Rows:
        units = program.structure.of_units(rows.weights)
        drawn = exponential_weights(rng_key, units) / jnp.where(units > 0, units, 1)
        return reweighed(program, rows, rows.weights * of_rows(program, drawn))

    return Replicator(draw, fit.rows, ())


def exponential_weights(rng_key: jax.Array, weights: jax.Array) -> jax.Array:
    """(n,) gamma numbers of shape ``weights``, scaled to the same total; 0 stays 0."""
    draws = jax.random.gamma(rng_key, jnp.where(weights > 0, weights, 1), dtype=weights.dtype)
    draws = jnp.where(weights > 0, draws, 0)
    return draws * (weights.sum() / draws.sum())


def _ended(outcome: Outcome) -> tuple[Params, jax.Array]:
    return outcome.params, outcome.code


@dataclass(frozen=True, eq=False)
class BootstrapTest:
    """A bootstrap likelihood-ratio test.

    Attributes:
        statistic: ``2 (log L_big - log L_small)`` of the data.
        replicates: (b,) the same of data simulated from the small fit; NaN where a fit failed.
        pvalue: ``(1 + #{replicates >= statistic}) / (b + 1)``.
    """

    statistic: float
    replicates: np.ndarray = field(repr=False)
    pvalue: float


@in_precision
def bootstrap_lrt(
    fit_small: Fit,
    fit_big: Fit,
    rng_key: jax.Array,
    num_replicates: int = 99,
    *,
    num_restarts: int = 5,
    max_steps: int = 1000,
    tolerance: float = 1e-6,
) -> BootstrapTest:
    """Test the small fit against the big one where the chi-squared law does not hold.

    McLachlan (1987, Applied Statistics 36:318): two numbers of components are not nested
    regularly, so the law of the likelihood ratio is simulated from the small fit. Both models are
    fitted to every replicate, the small one from its parameters, the big one from
    ``num_restarts`` starts, all in one compiled call.

    Raises:
        ValueError: fits of different data, or data that cannot be simulated (see `bootstrap`).
    """
    a_fit("fit_small", fit_small, Fit)
    a_fit("fit_big", fit_big, Fit)
    whole("num_replicates", num_replicates, least=2)
    whole("num_restarts", num_restarts)
    whole("max_steps", max_steps)
    number("tolerance", tolerance, least=0)
    small, big = fit_small.program, fit_big.program
    pairs = itertools.zip_longest(fit_small.call.arrays, fit_big.call.arrays)
    if not all(_same(a, b) for a, b in pairs):
        raise ValueError("the two fits are of different data; fit both models to the same arrays")
    statistic = 2 * (fit_big.log_likelihood - fit_small.log_likelihood)
    free = {p.name: fit_small.leaves[p.name] for p in small.structure.free}
    draw_small, given, own = simulator(fit_small, small)
    draw_big = simulator(fit_small, big).draw

    def ratio(free: Params, given: Any, key: jax.Array) -> jax.Array:
        key, sub = jax.random.split(key)
        one = from_params(small, draw_small(key, given), free, max_steps, tolerance)
        two = from_starts(big, draw_big(key, given), sub, num_restarts, max_steps, tolerance)
        value = 2 * (two.objective[highest(big, two)] - one.objective)
        return jnp.where(one.code <= Status.MAX_STEPS, value, jnp.nan)

    def ratios(keys: jax.Array, free: Params, given: Any) -> jax.Array:
        return each(big, partial(ratio, free, given), keys)

    keys = jax.random.split(as_key(rng_key), num_replicates)
    name = ("likelihood ratio", num_restarts, max_steps, tolerance, own)
    compiled = big.compiled(name, lambda: loop_jit(big, ratios))
    found = np.asarray(compiled(keys, free, given), float)
    found = np.where(np.isfinite(found), found, np.nan)
    usable = found[~np.isnan(found)]
    pvalue = (1 + (usable >= statistic).sum()) / (1 + len(usable))
    return BootstrapTest(float(statistic), found, float(pvalue))


def from_starts(
    program: Program, rows: Rows, key: jax.Array, number: int, max_steps: int, tolerance: float
) -> Outcome:
    """Soft EM from so many of the usual starts."""
    params, expected, keys = all_starts(program, Soft(), KMeansPlusPlus(), number, rows, key, None)
    bound = jnp.asarray(tolerance, rows.weights.dtype)
    settings = Settings(Soft(), max_steps)
    return climb(program, settings, rows, params, expected, bound, max_steps, keys)


def _same(a: jax.Array | None, b: jax.Array | None) -> bool:
    """Whether two arrays are equal, gaps included."""
    if a is None or b is None:
        return False
    return np.array_equal(a, b, equal_nan=bool(jnp.issubdtype(a.dtype, jnp.floating)))
