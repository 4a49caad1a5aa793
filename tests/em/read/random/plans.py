"""A random model as a plan: plain values from which a NumPyro model and its data are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints

PRIORS: dict[str, tuple[dist.Distribution, Any]] = {
    "real": (dist.Normal(0.0, 2.0), constraints.real),
    "positive": (dist.Gamma(2.0, 1.0), constraints.positive),
    "unit": (dist.Beta(2.0, 2.0), constraints.unit_interval),
}
FIXED = {"real": 0.4, "positive": 1.3, "unit": 0.35}

# {what an argument needs: {transform: (the parameter's support, the function of it)}}.
PLAIN: dict[str, dict[str, tuple[str, Callable]]] = {
    "real": {
        "none": ("real", lambda v: v),
        "minus": ("real", lambda v: -v),
        "affine": ("real", lambda v: 2 * v + 1),
        "abs": ("real", jnp.abs),
        "clip": ("real", lambda v: jnp.clip(v, -1, 1)),
        "relu": ("real", jax.nn.relu),
        "log": ("positive", jnp.log),
        "kink": ("real", lambda v: jnp.where(v > 1, v, 2 * v - 1)),
    },
    "positive": {
        "none": ("positive", lambda v: v),
        "exp": ("real", jnp.exp),
        "softplus": ("real", jax.nn.softplus),
        "clip": ("positive", lambda v: jnp.clip(v, 0.8)),
        "abs": ("real", lambda v: jnp.abs(v) + 0.1),
        "inverse": ("positive", lambda v: 1 / v),
        "sqrt": ("positive", jnp.sqrt),
    },
    "unit": {
        "none": ("unit", lambda v: v),
        "complement": ("unit", lambda v: 1 - v),
        "sigmoid": ("real", jax.nn.sigmoid),
        "clip": ("unit", lambda v: jnp.clip(v, 0.2, 0.8)),
        "half": ("unit", lambda v: v / 2),
    },
}
# With what else an argument is made, of data of the rows (t) or of a scalar parameter (shared).
JOINED: dict[str, tuple[str, ...]] = {
    "real": ("alone", "plus data", "times data", "plus shared"),
    "positive": ("alone", "times data", "plus shared"),
    "unit": ("alone", "times shared"),
}
INDEXING = ("index", "where", "stack", "take", "one hot", "vindex", "sum")
FAMILIES: dict[str, tuple[str, ...]] = {
    "Normal": ("real", "positive"),
    "Poisson": ("positive",),
    "Bernoulli": ("unit",),
    "Binomial": ("unit",),
    "BinomialByClass": ("unit",),
    "Gamma": ("positive", "positive"),
    "Exponential": ("positive",),
    "StudentT": ("real", "positive"),
    "Categorical": ("simplex",),
    "MultivariateNormal": ("real",),
}
LAYOUTS = ("rows", "last but one", "expand", "groups", "nested", "global", "two", "within")


@dataclass(frozen=True)
class Argument:
    """How an argument of a site comes of parameters.

    ``share`` is "class", "one" (a scalar), "tied" (the first two classes share), "fixed", or the
    name of another parameter; ``early`` transforms before indexing.
    """

    needs: str
    transform: str = "none"
    joined: str = "alone"
    indexing: str = "index"
    share: str = "class"
    declare: str = "plate"
    early: bool = True
    second: bool = False


@dataclass(frozen=True)
class Site:
    """An observed site; ``shape`` is "row", "columns" (a plate) or "event"."""

    family: str
    arguments: tuple[Argument, ...]
    shape: str = "row"
    by_cell: bool = False
    mask: str = "none"
    observed: str = "as it is"


@dataclass(frozen=True)
class Plan:
    """A mixture of few rows; ``seed`` is that of its data and parameters."""

    n: int
    k: int
    d: int
    layout: str
    weights: str
    sites: tuple[Site, ...]
    labels: str = "none"
    calibration: bool = False
    outer_factor: bool = False
    inner_factor: str = "none"
    scaled: bool = False
    held: str = "none"
    seed: int = 0

    @property
    def units(self) -> int:
        """How many values the first class has."""
        return {"groups": 2, "nested": 2, "within": 2, "global": 1}.get(self.layout, self.n)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The batch shape of the rows."""
        if self.layout in ("nested", "within"):
            return (self.units, self.n)
        return (self.n, 1) if self.layout == "last but one" else (self.n,)

    def shape_of(self, site: Site) -> tuple[int, ...]:
        """The shape of a site's value."""
        if site.family == "MultivariateNormal":
            return (*self.row_shape, 2)
        if site.shape == "row":
            return self.row_shape
        if site.shape == "event":
            return (*self.row_shape, self.d)
        return (self.n, self.d) if self.layout == "last but one" else (self.d, *self.row_shape)


def data(plan: Plan) -> dict[str, Any]:
    """The data that the model is called with: NumPy arrays by name."""
    rng = np.random.default_rng(plan.seed)
    rows = plan.row_shape
    found: dict[str, Any] = {
        "t": rng.normal(size=rows),
        "exposure": rng.uniform(0.5, 2.0, size=rows),
        "group": np.arange(plan.n) % 2,
        "label": rng.integers(plan.k, size=rows),
        "known": rng.random(rows) < 0.5,
        "keep": rng.random(rows) < 0.7,
        "row_weights": rng.integers(1, 4, size=rows).astype(float),
        "calibrated": np.arange(3) % plan.k,
    }
    for number, site in enumerate(plan.sites):
        found[f"y{number}"] = values(site.family, rng, plan.shape_of(site))
    if plan.calibration:
        found["w"] = values(plan.sites[0].family, rng, (3,))
    return found


def values(family: str, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Data in a family's support."""
    if family in ("Normal", "StudentT", "MultivariateNormal"):
        return 2 * rng.normal(size=shape)
    if family in ("Gamma", "Exponential"):
        return rng.gamma(2.0, size=shape)
    return rng.integers({"Bernoulli": 2, "Categorical": 3, "Poisson": 8}.get(family, 6), size=shape)


def support_of(argument: Argument) -> str:
    """Where the parameter of an argument lives."""
    if argument.needs == "simplex":
        return "simplex"
    return PLAIN[argument.needs][argument.transform][0]


def size_of(plan: Plan, number: int, place: int) -> tuple[int, ...]:
    site, argument = plan.sites[number], plan.sites[number].arguments[place]
    first = {"one": (), "tied": (plan.k - 1,)}.get(argument.share, (plan.k,))
    cells = (plan.d,) if site.by_cell else (2,) if site.family == "MultivariateNormal" else ()
    return (*first, *cells)
