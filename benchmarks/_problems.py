"""Simulated problems with several optima, from well to badly separated ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from mixpyro import models

ROWS = 300
# Distances between components, in their standard deviations or so.
SEPARATIONS = (4.0, 3.0, 2.5, 2.0, 1.5, 1.0, 3.5, 2.25)


class Problem(NamedTuple):
    """One data set, and the model with as many components as it was drawn from."""

    family: str
    number: int
    model: Callable
    args: tuple
    kwargs: dict[str, Any]


def problems() -> Iterator[Problem]:
    """200: five families, K = 2, ..., 6, eight separations each."""
    for family, draw in FAMILIES.items():
        for k in range(2, 7):
            for number, apart in enumerate(SEPARATIONS):
                rng = np.random.default_rng([k, number, len(family)])
                weights = rng.dirichlet(np.full(k, 3.0))
                z = rng.choice(k, size=ROWS, p=weights)
                model, args, kwargs = draw(rng, k, z, apart)
                yield Problem(family, number, model, args, {"num_components": k, **kwargs})


Drawn = tuple[Callable, tuple, dict[str, Any]]


def _column(rng: np.random.Generator, k: int, z: np.ndarray, apart: float) -> Drawn:
    loc, scale = apart * np.arange(k), rng.uniform(0.5, 1.5, k)
    return models.gaussian_mixture, (rng.normal(loc[z], scale[z])[:, None],), {}


def _plane(rng: np.random.Generator, k: int, z: np.ndarray, apart: float) -> Drawn:
    loc = apart * rng.normal(size=(k, 3))
    root = rng.normal(size=(k, 3, 3)) / 2 + np.eye(3)
    noise = rng.normal(size=(len(z), 3))
    return models.gaussian_mixture, (loc[z] + np.einsum("nij,nj->ni", root[z], noise),), {}


def _counts(rng: np.random.Generator, k: int, z: np.ndarray, apart: float) -> Drawn:
    root = 1 + apart / 2 * rng.permuted(np.tile(np.arange(k), (2, 1)), axis=1).T
    return models.poisson_mixture, (rng.poisson(root[z] ** 2).astype(float),), {}


def _items(rng: np.random.Generator, k: int, z: np.ndarray, apart: float) -> Drawn:
    probs = 1 / (1 + np.exp(-apart / 2 * rng.normal(size=(k, 8))))
    return models.bernoulli_mixture, ((rng.random((len(z), 8)) < probs[z]).astype(float),), {}


def _lines(rng: np.random.Generator, k: int, z: np.ndarray, apart: float) -> Drawn:
    x = np.column_stack([np.ones(len(z)), rng.uniform(-1, 1, (len(z), 1))])
    coefs = apart * rng.normal(size=(k, 2))
    y = rng.normal((x * coefs[z]).sum(1), 0.5)
    return models.linear_regression_mixture, (y,), {"covariates": x}


FAMILIES: dict[str, Callable[[np.random.Generator, int, np.ndarray, float], Drawn]] = {
    "one normal column": _column,
    "full covariances": _plane,
    "Poisson columns": _counts,
    "binary items": _items,
    "regression lines": _lines,
}
