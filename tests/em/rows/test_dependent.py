"""Columns that are constant, or linear functions of others, are named when a fit breaks on them."""

import jax
import numpy as np
import pandas as pd
import pytest

from mixpyro import em, models
from mixpyro.em.rows.dependent import dependent

KEY = jax.random.key(0)


def apart(columns):
    """300 rows of two classes."""
    x = np.random.default_rng(0).normal(size=(300, columns))
    x[:150] += 3
    return x


def test_constants_and_combinations_of_columns():
    x = apart(4).T
    x[1] = 5.0
    assert dependent(x, list("abcd"), 1e-6, True) == ["b is the same in all rows"]
    x[1] = 2 * x[0] - x[3] + 1e6
    assert dependent(x, list("abcd"), 1e-6, False) == []
    (found,) = dependent(x, list("abcd"), 1e-6, True)
    assert found.startswith("a, b, d depend on one another linearly in all rows")
    x[2] = x[0]  # all four together now, in two ways
    assert len(dependent(x, list("abcd"), 1e-6, True)) == 2
    assert dependent(apart(4).T, list("abcd"), 1e-6, True) == []


def test_units_do_not_matter():
    x = apart(3).T * np.array([1e-200, 1.0, 1e200])[:, None]
    assert dependent(x, list("abc"), 1e-6, True) == []
    x[2] = 1e200 * (x[1] + 1e200 * x[0])
    (found,) = dependent(x, list("abc"), 1e-6, True)
    assert found.startswith("a, b, c")


def test_rows_that_are_incomplete_do_not_count():
    x = apart(2).T
    x[1, :] = 2.0
    x[1, 7] = np.nan
    assert dependent(x, ["a", "b"], 1e-6, True) == ["b is the same in all rows"]
    assert dependent(x[:, :2], ["a", "b"], 1e-6, True) == []  # two rows say nothing


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_a_column_of_constants_is_named(covariance, precision):
    x = apart(3)
    x[:, 1] = 5
    table = pd.DataFrame(x, columns=["height", "site", "width"])
    way = em.EM(models.gaussian_mixture, num_restarts=2)
    fit = way.run(KEY, table, num_components=2, covariance=covariance)
    assert fit.status is em.Status.COLLAPSED
    assert "site is the same in all rows" in fit.message
    assert "a few rows" not in fit.message.split(".")[0]


@pytest.mark.slow
def test_columns_that_depend_on_others_are_named_only_where_they_matter(x64):
    x = apart(3)
    x[:, 1] = x[:, 0] + x[:, 2]
    way = em.EM(models.gaussian_mixture, num_restarts=2)
    fit = way.run(KEY, x, num_components=2)
    assert fit.status is em.Status.COLLAPSED
    assert "x[0], x[1], x[2] depend on one another linearly" in fit.message
    assert way.run(KEY, x, num_components=2, covariance="diagonal").status.ok
