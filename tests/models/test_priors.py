"""The priors that are scaled to the data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers, infer
from numpyro.infer.util import log_density
from scipy import stats

from mixpyro import em, models
from mixpyro.em.machine.by_numpy.interpret import interpreted
from mixpyro.models._priors import (
    box_of,
    center_and_spread,
    coefficient_prior,
    covariance_prior,
    even_spread,
    scale_prior,
    shape_prior,
    volume_prior,
)

X = np.random.default_rng(5).normal(size=(40, 2)) * [1.0, 3.0]
Z = jnp.arange(40) % 2


def prior(name, x, model=models.gaussian_mixture, **kwargs):
    """The prior mean of a site."""

    def call(x):
        seeded = handlers.seed(model, jax.random.key(0))
        return handlers.trace(seeded).get_trace(x, num_components=2, **kwargs)[name]["fn"].mean

    return jax.jit(call)(x)


@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical"])
def test_gaussian_density_does_not_depend_on_the_unit(covariance):
    """x -> a + b x, with the parameters in step, costs the Jacobian and nothing else."""
    a, b, k = 50.0, 8.0, 2
    n, d = X.shape
    shape = {"full": (k, d, d), "diagonal": (k, d), "spherical": (k,)}[covariance]
    is_matrix = covariance == "full"
    name = "covariance_matrix" if is_matrix else "scale"
    value = jnp.broadcast_to(2 * jnp.eye(d) if is_matrix else 2.0, shape)
    # A symmetric d x d matrix has d (d + 1) / 2 entries, each of which grows by b^2.
    jacobian = {"full": k * d * (d + 1), "diagonal": k * d, "spherical": k}

    def density(x, loc, value):
        values = {"weights": jnp.full(k, 1 / k), "loc": loc, name: value, "z": Z}
        kwargs = {"num_components": k, "covariance": covariance}
        return log_density(models.gaussian_mixture, (x,), kwargs, values)[0]

    density = jax.jit(density)
    loc = jnp.array([[0.0, 1.0], [-1.0, 2.0]])
    before = density(X, loc, value)
    after = density(a + b * X, a + b * loc, value * (b**2 if is_matrix else b))
    dimensions = n * d + k * d + jacobian[covariance]
    np.testing.assert_allclose(after, before - dimensions * np.log(b), rtol=1e-4)


def test_locations_are_centred_on_the_midrange():
    expected = (X.min(0) + X.max(0)) / 2
    np.testing.assert_allclose(prior("loc", X), [expected, expected], rtol=1e-5)
    np.testing.assert_allclose(prior("loc", X, center=7.0), 7.0)


def test_without_data_the_unit_is_one():
    center, spread = center_and_spread(None, 3, None, None)
    np.testing.assert_array_equal(center, np.zeros(3))
    np.testing.assert_array_equal(spread, np.ones(3))


def test_a_constant_column_and_missing_entries_leave_the_priors_proper():
    x = np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]])
    center, spread = center_and_spread(x, 2, None, None)
    np.testing.assert_allclose(center, [2.0, 5.0])
    np.testing.assert_allclose(spread, [2.0, 1.0])


def test_small_integers_do_not_overflow():
    x = np.array([[0], [200]], dtype=np.uint8)
    center, spread = center_and_spread(x, 1, None, None)
    np.testing.assert_allclose([center, spread], [[100.0], [200.0]])


def test_covariance_prior_is_that_of_richardson_and_green_for_one_feature():
    extent = 6.0
    variances = np.array([0.1, 0.72, 3.0])
    theirs = stats.invgamma(2, scale=0.02 * extent**2)
    ours = jax.jit(lambda v: covariance_prior(jnp.array([extent])).log_prob(v))
    actual = ours(variances[:, None, None])
    np.testing.assert_allclose(actual, theirs.logpdf(variances), rtol=1e-4)


def test_covariance_and_scale_priors_have_one_size():
    spread = jnp.array([1.0, 10.0])
    mean = jax.jit(lambda: covariance_prior(spread).mean)()
    np.testing.assert_allclose(mean, np.diag([0.02, 2.0]), rtol=1e-5)
    np.testing.assert_allclose(scale_prior(spread).icdf(0.5) ** 2, [0.02, 2.0], rtol=1e-4)


def test_volume_and_shape_are_those_of_independent_scales():
    """Of a diagonal covariance whose log variances are independent, by the prior of the scales."""
    d, extent = 3, 5.0
    spread = jnp.full(d, extent)
    volumes = np.array([0.01, 0.5, 20.0])
    theirs = stats.lognorm(2.0, scale=0.02 * extent**2)
    np.testing.assert_allclose(volume_prior(spread).log_prob(volumes), theirs.logpdf(volumes), 1e-4)
    # The log variances about their mean: 4 (1 - 1 / d) each, -4 / d together.
    draws = np.asarray(shape_prior(spread).sample(jax.random.key(0), (4000,)))
    np.testing.assert_allclose(draws.sum(1), 0, atol=1e-5)
    np.testing.assert_allclose(np.cov(draws.T), 4 * np.eye(d) - 4 / d, atol=0.25)


def test_the_prior_of_shapes_is_wider_where_columns_differ_in_size():
    draws = shape_prior(jnp.array([1.0, np.e**6])).sample(jax.random.key(0), (4000,))
    # Var(log R^2) = 36: of two entries that sum to 0, each has half of 4 + 36.
    np.testing.assert_allclose(np.var(draws, axis=0), 20.0, rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("covariance", ["EVE", "VEV"])
def test_nuts_agrees_with_the_fit_of_labelled_data(covariance, x64):
    example = next(
        e
        for e in models.examples(models.gaussian_mixture)
        if e.kwargs.get("covariance") == covariance
    )
    draws = example.simulate(jax.random.key(3), interpreted)
    model = handlers.condition(models.gaussian_mixture, {"z": draws["z"]})
    fit = em.EM(model).run(jax.random.key(0), draws["x"], **example.kwargs)
    start = infer.init_to_value(values=dict(fit.params))
    kernel = infer.NUTS(model, init_strategy=start)
    nuts = infer.MCMC(kernel, num_warmup=300, num_samples=500, progress_bar=False)
    nuts.run(jax.random.key(1), draws["x"], **example.kwargs)
    errors = fit.standard_errors()
    for name, samples in nuts.get_samples().items():
        away = np.abs(samples.mean(0) - fit.params[name]) / np.asarray(errors[name])
        # 600 rows outweigh the prior; 500 correlated draws leave a tenth of an error.
        assert np.all(away < 0.75), (name, away)
        np.testing.assert_allclose(samples.std(0), errors[name], rtol=0.35, err_msg=name)


def test_rates_have_the_mean_of_the_data():
    counts = np.array([[0, 2], [0, 6]])
    rate = prior("rate", counts, models.poisson_mixture)
    np.testing.assert_allclose(rate, [[1.0, 4.0]] * 2)
    np.testing.assert_allclose(prior("rate", counts, models.poisson_mixture, mean_rate=9.0), 9.0)
    np.testing.assert_allclose(prior("rate", counts[:, 1], models.poisson_mixture), 4.0)


def coefficient_scales(covariates, center=0.0, spread=10.0):
    call = jax.jit(lambda x: coefficient_prior(x, center, spread).base_dist.scale)
    return np.asarray(call(np.asarray(covariates, float)))


def test_a_coefficients_prior_follows_the_unit_of_its_covariate():
    year = np.linspace(1990, 2020, 7)
    design = np.column_stack([np.ones(7), year, np.arange(7.0)])
    before = coefficient_scales(design, center=3.0)
    np.testing.assert_allclose(before[1:], [10 / 30, 10 / 6], rtol=1e-5)
    # One standard deviation away in slope, the line through the data meets 0 that far away.
    far = np.sqrt(3**2 + 10**2 * (1 + (2005 / 30) ** 2 + (3 / 6) ** 2))
    assert before[0] == pytest.approx(far, rel=1e-4)
    np.testing.assert_allclose(
        coefficient_scales(design * [1, 0.1, 100], center=3.0), before / [1, 0.1, 100], rtol=1e-4
    )
    np.testing.assert_allclose(coefficient_scales(design * [5, 1, 1], 3.0)[0], far / 5, rtol=1e-4)


def test_without_an_intercept_the_coefficients_reach_the_data_themselves():
    groups = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    wide = np.sqrt(100**2 + 10**2)
    np.testing.assert_allclose(coefficient_scales(groups, center=100.0), wide, rtol=1e-5)


def test_a_column_of_zeros_leaves_the_priors_proper():
    scales = coefficient_scales(np.zeros((4, 2)))
    assert np.all(np.isfinite(scales))
    assert np.all(scales > 0)


def test_the_spread_of_columns_with_outliers():
    even = np.linspace(0.0, 3.0, 2001)
    x = np.column_stack([even, np.full(2001, 2.0), np.append(even[1:], np.nan)])
    found = even_spread(x, None, jnp.array([9.0, 9.0, 9.0]))
    np.testing.assert_allclose(found, [3.0, 9.0, 3.0], rtol=1e-3)


def test_the_box_of_a_constant_column_has_size_one():
    low, high = box_of(np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]]), 2, None, 7.0)
    np.testing.assert_allclose(low, [1.0, 4.5])
    np.testing.assert_allclose(high, [7.0, 7.0])
