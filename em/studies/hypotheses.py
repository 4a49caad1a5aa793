"""Tests of hypotheses about the parameters: Wald's, and likelihood ratios of nested fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ..options import a_fit, function, one_of
from ..plan.program import Params
from ..read import layout
from ..read.trees import join
from ..report import information as info
from ..report.fit import Fit
from ..report.precision import in_precision


@dataclass(frozen=True)
class HypothesisTest:
    """A statistic, chi-squared with ``df`` degrees of freedom under the hypothesis."""

    statistic: float
    df: int
    pvalue: float


@in_precision
def wald_test(
    fit: Fit, restriction: Callable[[Params], jax.Array], kind: str = "observed"
) -> HypothesisTest:
    """Test ``restriction(params) = 0``, a number or a vector (q,), by its size at the fit.

    ``W = g' (G V G')^{-1} g`` with g the restriction, G its derivative and V the covariance of the
    parameters: from the observed information, or the sandwich (Wald 1943, Transactions of the AMS
    54:426; White 1982, Econometrica 50:1). ``lambda p: p["loc"][0] - p["loc"][1]`` asks whether
    two locations are equal. It must hold in the inside of the parameters' supports: a weight of 0
    cannot be tested so.

    Raises:
        ValueError: a restriction that is not finite, that touches parameters without a standard
            error (at a boundary, not identified), or parts of which repeat each other.
    """
    a_fit("fit", fit, Fit)
    function("restriction", restriction)
    one_of("kind", kind, ("observed", "sandwich"))
    free = {p.name: fit.leaves[p.name] for p in fit.program.structure.free}

    def flat(params: Params) -> jax.Array:
        values = join({**fit.leaves, **params}, fit.program.structure.trees)
        return jnp.ravel(jnp.asarray(restriction(values), float))

    value = np.asarray(flat(free), float)
    slopes = jax.jacfwd(flat)(free)
    if not np.isfinite(value).all():
        raise ValueError(f"the restriction is not finite at the fit: {value}")
    why = info.reasons(fit.information, fit.shapes)
    by_entry = {n: np.asarray(s, float).reshape(len(value), -1) for n, s in slopes.items()}
    for name, slope in by_entry.items():
        touched = (np.abs(slope).max(0) > 0) & (why[name].ravel() != "")
        if touched.any():
            reason = why[name].ravel()[touched.argmax()]
            raise ValueError(
                f"the restriction touches entries of {name!r} that have no standard error "
                f"({reason}); see fit.summary()"
            )
    gradient = sum(by_entry[n] @ jacobian for n, jacobian in fit.information.jacobian.items())
    variance = gradient @ info.covariance(fit.information, kind) @ np.transpose(gradient)
    if np.linalg.matrix_rank(variance) < len(value):
        raise ValueError("parts of the restriction repeat each other, or change nothing")
    return wald(value, variance)


def wald(value: np.ndarray, variance: np.ndarray) -> HypothesisTest:
    """Whether estimates (q,) of this covariance are 0: ``value' variance^{-1} value``."""
    statistic = float(value @ np.linalg.solve(variance, value))
    return HypothesisTest(statistic, len(value), _tail(statistic, len(value)))


@in_precision
def likelihood_ratio_test(fit_small: Fit, fit_big: Fit) -> HypothesisTest:
    """Test the small fit within the big one: ``2 (log L_big - log L_small)`` (Wilks 1938).

    The models must be nested with the same number of components, the small one by ties, fixed
    values, fewer covariates or simpler structure; numbers of components are for `bootstrap_lrt`.
    They must have the same observed sites with the same values, labels and row weights.

    Raises:
        ValueError: fits of different data or numbers of components, a big model without more
            dimensions, or a big fit that is lower than the small one (a poor local maximum).
    """
    a_fit("fit_small", fit_small, Fit)
    a_fit("fit_big", fit_big, Fit)
    small, big = _observations(fit_small), _observations(fit_big)
    for name in sorted(small.keys() | big.keys()):
        one, other = small.get(name), big.get(name)
        if one is None or other is None or not np.array_equal(one, other, equal_nan=True):
            raise ValueError(
                f"the two fits are of different data: {name!r} differs. Fit both models to the "
                "same rows; covariates may differ"
            )
    if fit_small.spec.num_components != fit_big.spec.num_components:
        raise ValueError(
            "the fits have different numbers of components, where the chi-squared law does not "
            "hold; use em.bootstrap_lrt"
        )
    df = fit_big.num_free_params - fit_small.num_free_params
    if df <= 0:
        raise ValueError(
            f"the second fit has {-df} dimensions fewer than the first, or as many; give the "
            "smaller model first"
        )
    statistic = 2 * (fit_big.log_likelihood - fit_small.log_likelihood)
    if statistic < -1e-6 * (1 + abs(fit_big.log_likelihood)):
        raise ValueError(
            f"the big fit is lower than the small one (by {-statistic / 2:.4g}): it is a local "
            "maximum, or the models are not nested. Start it from the small fit, or raise "
            "num_restarts"
        )
    statistic = max(float(statistic), 0.0)
    return HypothesisTest(statistic, df, _tail(statistic, df))


def _observations(fit: Fit) -> dict[str, np.ndarray]:
    """What a fit is of: {site: observed values, NaN where missing}, labels and row weights."""
    program, arrays = fit.program, fit.call.arrays
    trace = program.probed(arrays)
    found = {"row weights": np.asarray(program.row_weights(trace))}
    for data in program.structure.data:
        value = np.asarray(trace[data.name]["value"], float)
        if value.size and data.holes:
            value = np.where(layout.observed(trace[data.name], data), value, np.nan)
        if value.size:  # numpyro.factor has none
            found[data.name] = value
    for name, (labels, known) in program.observed_labels(arrays).items():
        found[name] = np.where(known, labels, -1)
    return found


def _tail(statistic: float, df: int) -> float:
    from scipy.stats import chi2

    return float(chi2.sf(statistic, df))
