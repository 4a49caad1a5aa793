"""What a cross-check compares, and when two answers agree."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..em import Fit
from ..em.report.words import label
from .density import prior_slope
from .posterior import posterior_of

if TYPE_CHECKING:
    pass


# The rule. Estimates: posterior standard deviations that the mean may be away, and the factor by
# which the standard deviation may differ from EM's standard error.
DISTANCE, FACTOR = 0.5, 1.5
# At the edge of a support no normal approximation holds, and the mean lies inside.
EDGE_DISTANCE = 2.0
# Responsibilities: total variation that a row may be away, or its own spread if larger.
VARIATION = 0.1
# Sampling: R-hat and effective sample size that are good enough to judge by.
RHAT, ESS = 1.05, 100
PARETO = 0.7

FINE = ("agrees", "agrees (edge)", "fixed", "")


def verdict(
    diff: float, ratio: float, rhat: float, ess: float, shift: float, edge: bool, pareto: float
) -> str:
    """The rule for one parameter entry, and the reason where it is not met.

    ``diff`` and ``shift`` (what the prior alone explains of it) are in posterior standard
    deviations, ``ratio`` is posterior standard deviation over standard error.
    """
    if not np.isfinite(diff):
        return "not finite"
    if rhat > RHAT or ess < ESS:
        return "chains disagree"
    allowed = (EDGE_DISTANCE if edge else DISTANCE) + 3 / np.sqrt(ess)
    near = abs(diff) <= allowed
    if edge and near:
        return "agrees (edge)"
    if near and (np.isnan(ratio) or 1 / FACTOR <= ratio <= FACTOR):
        return "agrees"
    if pareto > PARETO:
        return "approximation"
    if (not near and shift * diff >= 0.5 * diff**2) or (near and abs(shift) > DISTANCE):
        return "prior"
    return "few data"


def near_edge(estimate: float, error: float, support: str) -> bool:
    """Whether Wald's 95% interval reaches the edge of the support."""
    low, high = estimate - 2 * error, estimate + 2 * error
    if support in ("unitinterval", "simplex"):
        return low <= 0 or high >= 1
    return support in ("positive", "nonnegative", "softpluspositive") and low <= 0


def worst(verdicts: list[str]) -> str:
    """The reasons of all posteriors that disagree; or that they agree."""
    bad = list(dict.fromkeys(v for v in verdicts if v not in FINE))
    return ", ".join(bad) if bad else verdicts[0]


def quantities(fit: Fit) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Label, site and index of every free parameter entry that is not the copy of another."""
    for p in fit.program.structure.free:
        for index in itertools.product(*map(range, p.shape)):
            if p.constraint == "positivedefinite" and index[-1] > index[-2]:
                continue
            entry = label(fit.program, fit.call, p.name, index)
            if entry is not None:
                yield entry, p.name, index


def prior_pull(fit: Fit) -> dict[str, np.ndarray]:
    """{site: the step that the prior alone makes from the estimate}, to first order.

    ``J H^-1 g``, with g the gradient of the log prior density (on the parameters' own scale) in
    unconstrained coordinates u, H the posterior's information and J the parameters' Jacobian.
    """
    posterior = posterior_of(fit)
    step = posterior.covariance @ prior_slope(fit, posterior.start)
    jacobian = posterior.jacobian
    return {n: (j @ step).reshape(np.shape(fit.leaves[n])) for n, j in jacobian.items()}
