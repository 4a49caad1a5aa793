"""Data and weights that cannot be fitted: a ValueError names site and place, and what to do."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from numpyro import handlers

from mixpyro import models

from ..refusals import N, X, normals, refuses, run

# ---- the data -----------------------------------------------------------------------------------


def test_nan_in_counts():
    def model(x):
        rate = numpyro.sample("rate", dist.Gamma(2.0, 1.0).expand([2]).to_event(1))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Bernoulli(0.5))
            numpyro.sample("x", dist.Poisson(rate[z]), obs=x)

    x = np.arange(10.0)
    x[5] = np.nan
    refuses("'x'", "NaN", "row 5", "mask", model=model, args=(x,))


def test_nan_in_a_part_of_an_event_that_has_no_density_of_its_own():
    def model(x):
        mean = numpyro.sample("mean", dist.Dirichlet(jnp.ones(3)).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Bernoulli(0.5))
            numpyro.sample("x", dist.Dirichlet(10 * mean[z]), obs=x)

    x = np.full((6, 3), 1 / 3)
    x[3, 1] = np.nan
    refuses("'x'", "row 3, column 1", model=model, args=(x,))


def test_a_column_without_any_observation():
    x = np.column_stack([X, np.full(len(X), np.nan)])
    refuses("'x'", "column 1", "leave", model=models.gaussian_mixture, args=(x,), num_components=2)


def test_nan_in_a_covariate():
    def model(x, covariate):
        slope = numpyro.sample("slope", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Bernoulli(0.5))
            numpyro.sample("x", dist.Normal(slope[z] * covariate, 1.0), obs=x)

    covariate = np.arange(float(len(X)))
    covariate[4] = np.nan
    refuses("'x'", "row 4", "covariate", model=model, args=(X, covariate))


def test_infinity():
    x = X.copy()
    x[2] = np.inf
    refuses("'x'", "row 2", args=(x,))


def test_an_observation_outside_the_support():
    def model(x):
        rate = numpyro.sample("rate", dist.HalfNormal(5).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            numpyro.sample("x", dist.Poisson(rate[z]), obs=x)

    counts = np.array([0, 3, 2, -4, 1, 0, 2, 2])
    refuses("'x'", "-4", "row 3", "support of Poisson", model=model, args=(counts,))
    halves = np.where(np.arange(N) == 6, 1.5, 2.0)
    refuses("'x'", "1.5", "row 6", "support of Poisson", model=model, args=(halves,))


def test_an_observation_above_its_row_s_number_of_tosses():
    heads, tosses = np.array([1, 2, 7, 3]), np.array([4, 4, 6, 4])
    refuses(
        "'x'", "7", "row 2", "Binomial", model=models.two_coins, args=(heads,), num_tosses=tosses
    )


def test_an_item_that_is_neither_0_nor_1():
    items = np.eye(3, dtype=int)[np.arange(N) % 3]
    items[4, 2] = 2
    refuses(
        "'x'", "row 4, column 2", model=models.bernoulli_mixture, args=(items,), num_components=2
    )


def test_fewer_rows_than_components():
    refuses("2 rows", "3 components", "'z'", args=(X[:2], 3))


def test_no_rows():
    refuses("no rows", args=(np.zeros(0),))


def test_no_rows_for_a_model_that_checks_for_itself():
    empty = np.zeros(0)
    refuses("at least one row", model=models.poisson_mixture, args=(empty,), num_components=2)


def test_no_components():
    refuses("'z'", "component", args=(X, 0))


@pytest.mark.parametrize(
    "x", [np.array(list("abcdefgh")), pd.Series(list("abcdefgh")), X.astype(object)]
)
def test_data_that_are_no_numbers(x):
    refuses("dtype", "integers", args=(x,))


def test_an_unhashable_argument():
    class Unhashable:
        __hash__ = None

    refuses("Unhashable", "hashable", args=(X, Unhashable()))


# ---- weights ------------------------------------------------------------------------------------


def weighted(x, weights):
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
    with numpyro.plate("rows", x.shape[0]), handlers.scale(scale=weights):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)


def test_a_negative_weight():
    weights = np.where(np.arange(N) == 3, -1.0, 1.0)
    refuses("weight", "negative", model=weighted, args=(X, weights))


def test_a_weight_that_is_nan():
    weights = np.where(np.arange(N) == 3, np.nan, 1.0)
    refuses("weight", model=weighted, args=(X, weights))


def test_an_infinite_weight():
    weights = np.where(np.arange(N) == 3, np.inf, 1.0)
    refuses("weight", model=weighted, args=(X, weights))


def test_weights_that_are_all_zero():
    refuses("weights", "0", model=weighted, args=(X, np.zeros(N)))


@pytest.mark.parametrize("on_z", [False, True])
def test_a_scale_on_one_of_z_and_x(on_z):
    def model(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            with handlers.scale(scale=2.0 if on_z else 1.0):
                z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            with handlers.scale(scale=1.0 if on_z else 2.0):
                numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)

    refuses("'x'", "'z'", "different scales", model=model)


def test_new_data_are_checked_too():
    fit = run(normals, X)
    with pytest.raises(ValueError, match=r"'x' has the value inf at row 1"):
        fit.responsibilities(np.array([0.0, np.inf]))
    with pytest.raises(ValueError, match="3 components"):
        fit.predict(X, 3)
