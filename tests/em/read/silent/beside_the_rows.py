"""Sites without z and factors: part of the likelihood that a reading may forget."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import stats

from ..case import Case, positive, real, simplex
from .data import COUNTS, LABEL, W, X
from .normals import NORMALS, mixed, normal_mixture, normals, shares

CASES: dict[str, Case] = {}


# ---- 1. observed sites without z ----------------------------------------------------------------


def labelled_apart(x, w, label):
    weights, loc, scale = normals()
    with numpyro.plate("calibration", len(label)):
        numpyro.sample("w", dist.Normal(loc[label], scale), obs=w)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


CASES["a labelled sample beside the mixture"] = Case(
    labelled_apart,
    (X, W, LABEL),
    lambda p: normal_mixture(p) + stats.norm.logpdf(W, p["loc"][LABEL], p["scale"]).sum(),
    NORMALS,
)


def repeated_measures(x, w):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)
    with numpyro.plate("blanks", w.shape[0]):
        numpyro.sample("w", dist.Normal(0.0, scale), obs=w)


CASES["a calibration sample that knows the scale"] = Case(
    repeated_measures,
    (X, W),
    lambda p: normal_mixture(p) + stats.norm.logpdf(W, 0, p["scale"]).sum(),
    NORMALS,
)


def apart(x, w):
    weights, loc, scale = normals()
    mean = numpyro.sample("mean", dist.Normal(0, 5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)
    with numpyro.plate("others", w.shape[0]):
        numpyro.sample("w", dist.Normal(mean, 1.0), obs=w)


CASES["a sample with a parameter of its own"] = Case(
    apart,
    (X, W),
    lambda p: normal_mixture(p) + stats.norm.logpdf(W, p["mean"], 1.0).sum(),
    NORMALS | {"mean": real()},
    outcome="either",
    words="'w'|'mean'",
)


# ---- 2. factors ---------------------------------------------------------------------------------

SEEN = COUNTS[COUNTS > 0]


def truncated(y):
    """Zero-truncated counts, the normaliser of all rows in one factor."""
    weights = shares()
    rate = numpyro.sample("rate", dist.Gamma(2, 1).expand([2]).to_event(1))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Poisson(rate[z]), obs=y)
    numpyro.factor("seen", -y.shape[0] * jnp.log1p(-jnp.sum(weights * jnp.exp(-rate))))


CASES["the normaliser of a truncated sample"] = Case(
    truncated,
    (SEEN,),
    lambda p: (
        mixed(p["weights"], stats.poisson.logpmf(SEEN[:, None], p["rate"]))
        - len(SEEN) * np.log1p(-np.sum(p["weights"] * np.exp(-p["rate"])))
    ),
    {"weights": simplex(2), "rate": positive(2)},
    centre={"rate": 0.5},
)


def penalised(x):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)
    numpyro.factor("ridge", -0.7 * jnp.sum(loc**2))


CASES["a penalty"] = Case(
    penalised, (X,), lambda p: normal_mixture(p) - 0.7 * np.sum(p["loc"] ** 2), NORMALS
)


def factor_by_row(x):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)
        numpyro.factor("pull", -0.2 * jnp.abs(loc[z] - 1.0))


CASES["a factor for each row and class"] = Case(
    factor_by_row,
    (X,),
    lambda p: mixed(
        p["weights"],
        stats.norm.logpdf(X[:, None], p["loc"], p["scale"]) - 0.2 * np.abs(p["loc"] - 1.0),
    ),
    NORMALS,
    outcome="either",
    words="'pull'",
)
