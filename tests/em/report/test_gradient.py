"""Lindsay's gradient function, against its formula and against mixtures on a fine grid."""

import jax
import numpy as np
import pytest
from scipy import stats

from mixpyro import em, models

pytestmark = pytest.mark.usefixtures("x64")

# Deaths of women over 80 a day, The Times 1910-1912: Hasselblad (1969), JASA 64:1459.
DEATHS = np.repeat(np.arange(10), [162, 267, 271, 185, 111, 61, 27, 8, 3, 1])


def fitted(k):
    return em.EM(models.poisson_mixture).run(jax.random.key(0), DEATHS, num_components=k)


def mixture_of_a_grid(x, grid):
    """The largest log-likelihood of any mixture on a grid, by EM on the weights."""
    density = stats.poisson.pmf(x[:, None], grid)
    weights = np.full(len(grid), 1 / len(grid))
    for _ in range(20_000):
        weights = weights * (density / (density @ weights)[:, None]).mean(0)
    return np.log(density @ weights).sum()


def test_it_is_its_formula_and_bounds_the_best_of_all_mixtures():
    fit = fitted(2)
    found = fit.gradient_function()
    weights, rate = (np.asarray(fit.params[n], float) for n in ("weights", "rate"))
    total = stats.poisson.pmf(DEATHS[:, None], rate) @ weights
    some = slice(0, 960, 37)
    expected = stats.poisson.pmf(DEATHS[:, None], found.places[some]) / total[:, None]
    np.testing.assert_allclose(found.values[some], expected.mean(0), rtol=1e-8)
    best = mixture_of_a_grid(DEATHS, np.r_[1e-9, np.arange(0.05, 9, 0.05), rate])
    assert best <= fit.log_likelihood + found.bound


def test_counts_less_dispersed_than_one_poisson_are_proved_to_be_one():
    """No mixture of Poissons has a variance below its mean."""
    x = np.repeat([2, 3, 4], [10, 30, 12])
    fit = em.EM(models.poisson_mixture).run(jax.random.key(0), x, num_components=1)
    found = fit.gradient_function()
    assert found.supremum == pytest.approx(1, abs=1e-9)
    assert found.at == pytest.approx(x.mean(), abs=1e-3)
    assert found.proved
    assert "proved the best" in fit.message
    best = mixture_of_a_grid(x, np.arange(0.05, 9, 0.05))
    assert best <= fit.log_likelihood + 1e-9


def test_where_a_component_more_helps_nothing_is_proved():
    one = fitted(1)
    found = one.gradient_function()
    assert not found.proved
    assert "proved" not in one.message
    assert found.supremum > 1.01
    assert fitted(2).log_likelihood - one.log_likelihood <= found.bound


def test_components_of_several_numbers_are_refused():
    x = np.random.default_rng(0).normal(size=(30, 1))
    fit = em.EM(models.gaussian_mixture).run(jax.random.key(0), x, num_components=2)
    with pytest.raises(ValueError, match="one number each"):
        fit.gradient_function()
