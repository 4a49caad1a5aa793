"""Gaps in counts and categories: NaN among floats."""

import jax
import numpy as np
import pytest
from scipy import stats

from mixpyro import em, models

KEY = jax.random.key(0)


def test_a_gap_is_left_out(x64):
    """One class: the estimates are the means of what is there."""
    x = np.array([[1.0, np.nan], [0.0, 4.0], [np.nan, np.nan], [2.0, 1.0], [5.0, 0.0]])
    fit = em.EM(models.poisson_mixture).run(KEY, x, num_components=1)
    rate = np.nanmean(x, 0)
    np.testing.assert_allclose(fit.params["rate"], [rate], rtol=1e-12)
    rows = np.nansum(stats.poisson.logpmf(np.nan_to_num(x), rate) * ~np.isnan(x), 1)
    np.testing.assert_allclose(fit.log_prob(), rows, atol=1e-12)
    x = np.minimum(x, 1)
    for model, more in (
        (models.bernoulli_mixture, {}),
        (models.latent_class, {"num_categories": 2}),
    ):
        fit = em.EM(model).run(KEY, x, num_components=1, **more)
        ones = fit.params["probs"] if not more else fit.params["probs"][..., 1]
        np.testing.assert_allclose(ones, [np.nanmean(x, 0)], rtol=1e-12)


@pytest.mark.parametrize("model", [models.poisson_mixture, models.bernoulli_mixture])
def test_a_fraction_is_refused(model):
    x = np.array([[1.0, 0.0], [0.5, 1.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match="row 1"):
        em.EM(model).run(KEY, x, num_components=1)


def test_a_fraction_among_columns_is_refused():
    x = {"a": np.array([1.0, 2.5, 3.0, np.nan])}
    with pytest.raises(ValueError, match="row 1"):
        em.EM(models.latent_profile).run(KEY, x, kinds={"a": "count"}, num_components=1)
