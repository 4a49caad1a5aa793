"""A model, its likelihood written by hand, and what must come of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import pytest
from scipy import optimize, special

from mixpyro import em

from . import brute, reading

KEY = jax.random.key(0)
STARTS, FINALISTS = 10, 2


@dataclass(frozen=True)
class Space:
    """Where a parameter lives, and how a vector of real numbers becomes one."""

    size: int
    value: Callable[[np.ndarray], Any]


def real(*shape: int) -> Space:
    return Space(int(np.prod(shape)), lambda v: v.reshape(shape))


def positive(*shape: int) -> Space:
    return Space(int(np.prod(shape)), lambda v: np.exp(v).reshape(shape))


def unit(*shape: int) -> Space:
    return Space(int(np.prod(shape)), lambda v: special.expit(v).reshape(shape))


def simplex(k: int, *shape: int) -> Space:
    """``shape`` distributions over k."""

    def value(v: np.ndarray) -> np.ndarray:
        logits = np.concatenate([v.reshape(*shape, k - 1), np.zeros((*shape, 1))], -1)
        return special.softmax(logits, -1)

    return Space(int(np.prod(shape)) * (k - 1), value)


def tree(**parts: Space) -> Space:
    """A dictionary of parameters under one name."""

    def value(v: np.ndarray) -> dict:
        ends = np.cumsum([p.size for p in parts.values()])[:-1]
        own = np.split(v, ends)
        return {n: p.value(u) for (n, p), u in zip(parts.items(), own, strict=True)}

    return Space(sum(p.size for p in parts.values()), value)


@dataclass(frozen=True, eq=False)
class Case:
    """A model and what is to become of it.

    Attributes:
        likelihood: ``log p(data | params)`` in NumPy, written by hand; None if always refused.
        space: {parameter: where it lives}.
        outcome: ``"fitted"``, ``"refused"``, or ``"either"``.
        words: what a refusal must say: the site and the cause (a regular expression).
        start: the standard deviation of SciPy's starts, about ``centre``.
        optimum: whether to compare with SciPy's best; not where the likelihood has no maximum.
        options: those of `em.EM`.
        within: how far below SciPy's best the fit may end; kinks leave a local maximum each.
    """

    model: Callable
    args: tuple
    likelihood: Callable[[Mapping], float] | None = None
    space: Mapping[str, Space] = field(default_factory=dict)
    outcome: str = "fitted"
    words: str = "'z'"
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    start: float = 1.0
    centre: Mapping[str, float] = field(default_factory=dict)
    optimum: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    within: float = 1e-5

    def params(self, v: np.ndarray) -> dict[str, Any]:
        """Parameters from one vector of real numbers."""
        ends = np.cumsum([s.size for s in self.space.values()])[:-1]
        parts = np.split(np.asarray(v, float), ends)
        return {n: s.value(u) for (n, s), u in zip(self.space.items(), parts, strict=True)}

    def vectors(self, number: int, seed: int = 0) -> np.ndarray:
        """Random vectors about the centre."""
        rng = np.random.default_rng(seed)
        middle = np.repeat(
            [self.centre.get(n, 0.0) for n in self.space], [s.size for s in self.space.values()]
        )
        return middle + self.start * rng.normal(size=(number, len(middle)))

    def best(self) -> float:
        """The highest likelihood that SciPy finds from ten starts, the best of them to the end."""
        assert self.likelihood is not None

        def negative(v: np.ndarray) -> float:
            with np.errstate(all="ignore"):
                value = -self.likelihood(self.params(v))
            return value if np.isfinite(value) else 1e10

        starts = self.vectors(STARTS, seed=1)
        found = [optimize.minimize(negative, start, method="L-BFGS-B") for start in starts]
        best = sorted(found, key=lambda end: end.fun)[:FINALISTS]
        # Where a likelihood has kinks, slopes end too early.
        ends = [optimize.minimize(negative, end.x, method="Nelder-Mead") for end in best]
        return -min(end.fun for end in (*best, *ends))

    def refuse(self, error: ValueError) -> None:
        """What a refusal must be."""
        assert self.outcome != "fitted", f"refused: {error}"
        assert re.search(self.words, str(error)), f"not by name: {error}"


def check_density(case: Case) -> None:
    """EM's objective and the marginal model's density at random parameters are the hand's."""
    points = [case.params(v) for v in case.vectors(3)]
    prior = brute.log_prior(case.model, case.args, case.kwargs)
    for way in (reading.climbed, reading.marginal):
        try:
            density = way(case.model, case.args, case.kwargs)
            found = [float(density(params)) for params in points]
        except ValueError as error:
            case.refuse(error)
            continue
        assert case.outcome != "refused", f"{way.__name__} was not refused"
        assert case.likelihood is not None
        for params, value in zip(points, found, strict=True):
            expected = case.likelihood(params)
            if way is reading.marginal:
                expected += prior(params)
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), way.__name__


def check_fit(case: Case) -> None:
    """The reported likelihood is the hand's at the estimate, and no less than SciPy's best."""
    try:
        fit = em.EM(case.model, **case.options).run(KEY, *case.args, **case.kwargs)
    except ValueError as error:
        case.refuse(error)
        return
    assert case.outcome != "refused", "it was not refused"
    assert case.likelihood is not None
    params = {n: jax.tree.map(np.asarray, v) for n, v in fit.params.items()}
    assert fit.log_likelihood == pytest.approx(case.likelihood(params), rel=1e-8, abs=1e-8)
    if case.optimum:
        assert fit.log_likelihood >= case.best() - case.within
