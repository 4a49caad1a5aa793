"""Values that are no plain data: of the class, of parameters, in a square."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import stats

from ..case import Case, simplex, unit
from .data import HITS, SQUARE, N, S, X
from .normals import NORMALS, mixed, normal_mixture, normals, shares

CASES: dict[str, Case] = {}


# ---- 4. data that depend on the class -----------------------------------------------------------

TRIALS = np.array([12, 14])


def trials_by_class(y):
    weights = shares()
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2]).to_event(1))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Binomial(jnp.array(TRIALS)[z], p[z]), obs=y)


CASES["trials by class"] = Case(
    trials_by_class,
    (HITS,),
    lambda p: mixed(p["weights"], stats.binom.logpmf(HITS[:, None], TRIALS, p["p"])),
    {"weights": simplex(2), "p": unit(2)},
)


def counts_by_class_and_row(y, total):
    weights = shares()
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2]).to_event(1))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        number = jnp.where(z == 0, total, 2 * total)
        numpyro.sample("y", dist.Binomial(number, p[z]), obs=y)


TOTAL = HITS + 1 + np.arange(N) % 3
CASES["trials by class and row"] = Case(
    counts_by_class_and_row,
    (HITS, TOTAL),
    lambda p: mixed(
        p["weights"],
        stats.binom.logpmf(HITS[:, None], TOTAL[:, None] * np.array([1, 2]), p["p"]),
    ),
    {"weights": simplex(2), "p": unit(2)},
)


# ---- 5. observed values that are not data -------------------------------------------------------


def residuals(x):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("e", dist.Normal(0.0, scale), obs=x - loc[z])


CASES["residuals are observed"] = Case(residuals, (X,), normal_mixture, NORMALS)


def standardised(x):
    """The Jacobian by hand, in a factor."""
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("e", dist.Normal(loc[z] / scale, 1.0), obs=x / scale)
        numpyro.factor("jacobian", -jnp.log(scale))


CASES["a value divided by a parameter"] = Case(standardised, (X,), normal_mixture, NORMALS)


# ---- 6. square data -----------------------------------------------------------------------------


def square(by_column):
    def model(y):
        weights = shares()
        p = numpyro.sample("p", dist.Beta(1, 1).expand([2]).to_event(1))
        items = numpyro.plate("items", S, dim=-1 if by_column else -2)
        raters = numpyro.plate("raters", S, dim=-2 if by_column else -1)
        with items:
            z = numpyro.sample("z", dist.Categorical(weights))
            with raters:
                numpyro.sample("y", dist.Bernoulli(p[z]), obs=y)

    return model


def square_likelihood(y):
    """Rows of ``y`` are items."""
    return lambda p: mixed(p["weights"], stats.bernoulli.logpmf(y[..., None], p["p"]).sum(1))


PROBABILITIES = {"weights": simplex(2), "p": unit(2)}
CASES["square data, items by column"] = Case(
    square(True), (SQUARE.T,), square_likelihood(SQUARE), PROBABILITIES
)
CASES["square data, items by row"] = Case(
    square(False), (SQUARE,), square_likelihood(SQUARE), PROBABILITIES
)


def square_by_rater(y):
    weights = shares()
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2, S]).to_event(2))
    with numpyro.plate("items", S):
        z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("raters", S, dim=-2):
            numpyro.sample("y", dist.Bernoulli(p[z].T), obs=y)


CASES["square data, a probability for each rater"] = Case(
    square_by_rater,
    (SQUARE.T,),
    lambda p: mixed(p["weights"], stats.bernoulli.logpmf(SQUARE[:, None], p["p"]).sum(2)),
    {"weights": simplex(2), "p": unit(2, S)},
)
