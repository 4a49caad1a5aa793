"""Distal outcomes of the classes: their densities on scales without bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from ..calls.factors import codes, found, pair

Shown = tuple[str, Callable, Callable]
Values = dict[str, jax.Array]


@dataclass(frozen=True)
class Outcome:
    """How one kind of outcome is scored.

    ``density(y, beta)`` is (n, k); ``of_mean`` the location (k,) of class means, ``scale`` the
    name, inverse and slope of the location's scale; ``admits`` says whether values are possible,
    ``what`` they must be.
    """

    density: Callable[[jax.Array, Values], jax.Array]
    of_mean: Callable[[jax.Array], jax.Array]
    scale: Shown
    admits: Callable[[np.ndarray], np.ndarray]
    what: str
    columns: int = 1

    def log_density(self, y: jax.Array, beta: Values, means_only: bool) -> jax.Array:
        """(n, k); of a normal by unit variances if ``means_only``: their means are the same."""
        if means_only and "log_scale" not in beta and self.scale[0] == "mean":
            return -((y[:, None] - beta["location"]) ** 2) / 2
        return self.density(y, beta)

    def checked(self, outcome: Any, n: int) -> np.ndarray:
        """The outcome as floats.

        Raises:
            ValueError: another length, or impossible values.
        """
        if outcome is None:
            return np.zeros((n, 2) if self.columns == 2 else n)
        y = np.asarray(outcome, float)
        shape = (n, 2) if self.columns == 2 else (n,)
        if y.shape != shape:
            raise ValueError(f"outcome must have shape {shape}, as the fit's rows; not {y.shape}")
        if self.density is _categorical and not np.nanmax(y, initial=0) > 0:
            raise ValueError("the outcome has one category only; there is nothing to compare")
        wrong = ~(self.admits(y) | np.isnan(y)).reshape(n, -1).all(1)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"outcome at row {row} is {y[row]}; it must be {self.what}")
        return y

    def start(self, y: jax.Array, weighted: jax.Array, m: int, means_only: bool) -> Values:
        """Values to begin from, by rows weighted (n, k)."""
        total = jnp.maximum(weighted.sum(0), 1e-6)
        if m > 1:
            shares = (weighted.T @ jax.nn.one_hot(y.astype(int), m) + 0.5) / (
                total[:, None] + m / 2
            )
            return {"location": jnp.log(shares[:, 1:] / shares[:, :1])}
        if self.columns == 2:
            events, time = weighted.T @ y[:, 1], weighted.T @ y[:, 0]
            return {"location": jnp.log((events + 0.5) / jnp.maximum(time, 1e-300))}
        mean = weighted.T @ y / total
        if self.scale[0] != "mean":
            return {"location": self.of_mean((mean * total + 0.5) / (total + 1))}
        if means_only:
            return {"location": mean}
        spread = (weighted * (y[:, None] - mean) ** 2).sum(0) / total
        return {"location": mean, "log_scale": jnp.log(jnp.maximum(spread, 1e-12)) / 2}

    def shown(self, name: str) -> Shown:
        """How a parameter is shown: its name, and from its scale to its own with the slope."""
        if name == "location":
            return self.scale
        if name == "log_scale":
            return "scale", np.exp, np.exp
        return name, _same, _one


def coded(outcome: Any, kind: str) -> tuple[Any, tuple[Any, ...] | None]:
    """Categories as numbers from 0, and their names; numbers stay as they are.

    Raises:
        ValueError: a binary outcome of another number of categories, or values of several types.
    """
    text = not hasattr(outcome, "dtype") or getattr(outcome.dtype, "kind", "O") not in "biuf"
    if (
        outcome is None
        or kind not in ("binary", "categorical")
        or np.ndim(outcome) != 1
        or not text
    ):
        return outcome, None
    names = (pair if kind == "binary" else found)("outcome", outcome, False, None)
    if set(names) <= set(range(len(names))):
        return outcome, None
    return codes("outcome", outcome, names), names


def _same(v: Any) -> Any:
    return v


def _one(v: Any) -> Any:
    return 1.0


def _expit(v: Any) -> Any:
    return 1 / (1 + np.exp(-v))


def _whole(y: np.ndarray) -> np.ndarray:
    return (y >= 0) & (y == np.round(y))


def _normal(y: jax.Array, beta: Values) -> jax.Array:
    standard = (y[:, None] - beta["location"]) * jnp.exp(-beta["log_scale"])
    return -(standard**2) / 2 - beta["log_scale"] - jnp.log(2 * jnp.pi) / 2


def _bernoulli(y: jax.Array, beta: Values) -> jax.Array:
    logit = beta["location"]
    return y[:, None] * logit - jnp.logaddexp(0, logit)


def _poisson(y: jax.Array, beta: Values) -> jax.Array:
    log_rate = beta["location"]
    return y[:, None] * log_rate - jnp.exp(log_rate) - gammaln(y + 1)[:, None]


def _categorical(y: jax.Array, beta: Values) -> jax.Array:
    logits = jnp.pad(beta["location"], [(0, 0), (1, 0)])
    return jax.nn.log_softmax(logits, 1)[:, y.astype(int)].T


def _survival(y: jax.Array, beta: Values) -> jax.Array:
    time, event = y[:, :1], y[:, 1:]
    return event * beta["location"] - time * jnp.exp(beta["location"])


OUTCOMES = {
    "continuous": Outcome(
        _normal, _same, ("mean", _same, _one), np.isfinite, "a finite number, or NaN"
    ),
    "binary": Outcome(
        _bernoulli,
        lambda mean: jnp.log(mean) - jnp.log1p(-mean),
        ("probability", _expit, lambda v: _expit(v) * _expit(-v)),
        lambda y: np.isin(y, (0, 1)),
        "0 or 1, or NaN",
    ),
    "count": Outcome(
        _poisson, jnp.log, ("rate", np.exp, np.exp), _whole, "a whole number >= 0, or NaN"
    ),
    "categorical": Outcome(
        _categorical, _same, ("log_odds", _same, _one), _whole, "a category 0, 1, ..., or NaN"
    ),
    "survival": Outcome(
        _survival,
        _same,
        ("hazard", np.exp, np.exp),
        lambda y: np.isfinite(y) & (y >= 0) & ((np.arange(y.shape[-1]) == 0) | (y <= 1)),
        "a time >= 0 and 1 for an event or 0 for censoring",
        columns=2,
    ),
}
