"""Piecewise functions of parameters: some look like the identity at any probe."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import stats

from ..case import Case, real, simplex
from .data import N, X
from .normals import (
    LOCATIONS,
    NORMALS,
    mixed,
    normal_mixture,
    normals,
    normals_of_scale_one,
    shares,
)

CASES: dict[str, Case] = {}


def clipped_scale(x):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], jnp.clip(scale, 1.0)), obs=x)


CASES["clip(scale, 1)"] = Case(
    clipped_scale,
    (X,),
    lambda p: normal_mixture(p | {"scale": np.maximum(p["scale"], 1.0)}),
    NORMALS,
)


def by_function(function):
    def model(x):
        weights, loc, _ = normals_of_scale_one()
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(function(loc[z]), 1.0), obs=x)

    return model


for name, in_jax, in_numpy in (
    ("abs(loc)", jnp.abs, np.abs),
    ("clip(loc, -1, 1)", lambda v: jnp.clip(v, -1, 1), lambda v: np.clip(v, -1, 1)),
    ("relu(loc)", jax.nn.relu, lambda v: np.maximum(v, 0)),
    (
        "where(loc > 1, loc, 2 loc - 1)",
        lambda v: jnp.where(v > 1, v, 2 * v - 1),
        lambda v: np.where(v > 1, v, 2 * v - 1),
    ),
    ("softplus(loc)", jax.nn.softplus, lambda v: np.logaddexp(v, 0)),
):
    CASES[name] = Case(
        by_function(in_jax),
        (X,),
        lambda p, f=in_numpy: normal_mixture(p | {"loc": f(p["loc"]), "scale": 1.0}),
        LOCATIONS,
        start=2.0,
    )

T = np.linspace(-2, 2, N)


def rectified_lines(x, t):
    weights = shares()
    a = numpyro.sample("a", dist.Normal(0, 3).expand([2]).to_event(1))
    b = numpyro.sample("b", dist.Normal(0, 3).expand([2]).to_event(1))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(jax.nn.relu(a[z] + b[z] * t), 1.0), obs=x)


CASES["relu(a + b t)"] = Case(
    rectified_lines,
    (X, T),
    lambda p: mixed(
        p["weights"],
        stats.norm.logpdf(X[:, None], np.maximum(p["a"] + p["b"] * T[:, None], 0), 1.0),
    ),
    {"weights": simplex(2), "a": real(2), "b": real(2)},
    start=1.5,
    within=0.01,
)
