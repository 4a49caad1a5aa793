"""Mixtures of linear regressions, by weighted least squares, against SciPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import interpolate, special, stats

from mixpyro import em

from ..regressions import KEY, OFFSET, RNG, N, X, Z, check_maximum, free, mixture, pack

NOISE = RNG.standard_normal(N)
LINES = np.array([[0.0, 2.0], [1.0, -2.0]])
Y = (X * LINES[Z]).sum(1) + np.array([0.4, 0.8])[Z] * NOISE

pytestmark = pytest.mark.usefixtures("x64")


def lines(
    x, y, num_components=2, *, tied_scale=False, common_slope=False, offset=0.0, weights=None
):
    w = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        flat = dist.Normal(0, 5).expand([1 if common_slope else x.shape[1]]).to_event(1)
        beta = numpyro.sample("beta", flat)
        if not tied_scale:
            scale = numpyro.sample("scale", dist.HalfNormal(1))
    if common_slope:
        slope = numpyro.sample("slope", dist.Normal(0, 5).expand([x.shape[1] - 1]).to_event(1))
    if tied_scale:
        scale = numpyro.sample("scale", dist.HalfNormal(1))
    scaled = handlers.scale(scale=1.0 if weights is None else weights)
    with numpyro.plate("rows", x.shape[0]), scaled:
        z = numpyro.sample("z", dist.Categorical(w))
        shared = x[:, 1:] @ slope if common_slope else 0.0
        mean = (x[:, : beta.shape[1]] * beta[z]).sum(-1) + shared
        noise = scale if tied_scale else scale[z]
        numpyro.sample("y", dist.Normal(offset + mean, noise), obs=y)


def line_likelihood(x, y, unpack, offset=0.0):
    """log L of theta = (logit of the first weight, the rest as ``unpack`` -> (beta, scale))."""

    def log_likelihood(theta):
        beta, scale = unpack(theta[1:])
        log_weights = special.log_softmax([theta[0], 0.0])
        mean = np.reshape(offset, (-1, 1)) + x @ beta.T
        return mixture(log_weights, stats.norm.logpdf(y[:, None], mean, scale)).sum()

    return log_likelihood


@functools.cache
def plain():
    """The regressions of Y on X, free in everything."""
    return em.EM(lines).run(KEY, X, Y)


def same_fit(found, expected, tolerance=1e-7):
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=tolerance)
    order = [0, 1]
    if abs(found.params["weights"][0] - expected.params["weights"][0]) > 0.05:
        order = [1, 0]
    for name, value in expected.params.items():
        np.testing.assert_allclose(
            found.params[name][np.array(order)], value, rtol=2e-4, atol=2e-5, err_msg=name
        )


def test_crossing_lines_are_least_squares_and_the_best_there_is():
    fit = plain()
    assert fit.spec.closed_form
    truth = np.concatenate([[np.log(0.4 / 0.6)], LINES.ravel(), np.log([0.4, 0.8])])
    check_maximum(fit, line_likelihood(X, Y, free), pack(fit, "beta", "scale"), [truth])
    # At the end each line is the least squares fit of all rows, weighted by responsibility.
    resp = np.asarray(fit.responsibilities())
    for k in range(2):
        root = np.sqrt(resp[:, k])
        beta = np.linalg.lstsq(X * root[:, None], Y * root, rcond=None)[0]
        np.testing.assert_allclose(fit.params["beta"][k], beta, atol=1e-5)


@pytest.mark.slow
def test_a_tied_scale():
    fit = em.EM(lines).run(KEY, X, Y, tied_scale=True)
    assert fit.spec.closed_form
    truth = np.concatenate([[np.log(0.4 / 0.6)], LINES.ravel(), [np.log(0.6)]])
    check_maximum(fit, line_likelihood(X, Y, free), pack(fit, "beta", "scale"), [truth])


@pytest.mark.slow
def test_a_slope_that_the_components_share():
    y = X @ [0.0, 1.5] + 3.0 * Z + np.array([0.4, 0.8])[Z] * NOISE
    fit = em.EM(lines).run(KEY, X, y, common_slope=True)
    assert fit.spec.closed_form

    def unpack(theta):
        return np.column_stack([theta[:2], np.full(2, theta[2])]), np.exp(theta[3:])

    truth = np.array([np.log(0.4 / 0.6), 0.0, 3.0, 1.5, np.log(0.4), np.log(0.8)])
    theta = pack(fit, "beta", "slope", "scale")
    check_maximum(fit, line_likelihood(X, y, unpack), theta, [truth])
    assert fit.num_free_params == 1 + 2 + 1 + 2


@pytest.mark.slow
def test_a_slope_held_fixed_is_an_offset():
    y = X @ [0.0, 1.5] + 3.0 * Z + np.array([0.4, 0.8])[Z] * NOISE
    held = handlers.condition(lines, {"slope": jnp.array([1.5])})
    fit = em.EM(held).run(KEY, X, y, common_slope=True)
    assert fit.spec.closed_form
    assert float(fit.params["slope"][0]) == 1.5
    assert fit.num_free_params == 1 + 2 + 2

    def unpack(theta):
        return theta[:2, None], np.exp(theta[2:])

    given = line_likelihood(X[:, :1], y, unpack, offset=1.5 * X[:, 1])
    truth = np.array([np.log(0.4 / 0.6), 0.0, 3.0, np.log(0.4), np.log(0.8)])
    check_maximum(fit, given, pack(fit, "beta", "scale"), [truth])


@pytest.mark.slow
def test_an_offset_is_taken_from_the_response():
    offset = 1000 * OFFSET
    fit = em.EM(lines).run(KEY, X, Y + offset, offset=jnp.asarray(offset))
    assert fit.spec.closed_form
    same_fit(fit, plain())


@pytest.mark.slow
def test_units_do_not_matter():
    fit = em.EM(lines).run(KEY, X * [1e-5, 1e6], 1e4 * Y)
    assert fit.spec.closed_form
    assert fit.status.ok
    assert fit.log_likelihood == pytest.approx(plain().log_likelihood - N * np.log(1e4), rel=1e-9)
    units = np.array([1e-5, 1e6]) / 1e4
    mine, theirs = np.asarray(fit.params["beta"]) * units, np.asarray(plain().params["beta"])
    if abs(mine[0, 1] - theirs[0, 1]) > 1:
        mine = mine[::-1]
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_collinear_columns_give_the_same_lines_and_say_so():
    doubled = np.column_stack([X, X[:, 1] - 2 * X[:, 0]])
    fit = em.EM(lines).run(KEY, doubled, Y)
    assert fit.status is em.Status.NOT_IDENTIFIED
    assert fit.log_likelihood == pytest.approx(plain().log_likelihood, rel=1e-9)
    ours, theirs = doubled @ fit.params["beta"].T, X @ plain().params["beta"].T
    if abs(fit.params["weights"][0] - plain().params["weights"][0]) > 0.05:
        ours = ours[:, ::-1]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.slow
def test_a_missing_response_leaves_its_row_out():
    gone = np.arange(N) % 10 == 3
    fit = em.EM(lines).run(KEY, X, np.where(gone, np.nan, Y))
    fewer = em.EM(lines).run(KEY, X[~gone], Y[~gone])
    # Rows without a response say nothing of the lines, and their class is as likely as ever.
    same_fit(fit, fewer)
    np.testing.assert_allclose(fit.log_prob()[gone], 0, atol=1e-12)


@pytest.mark.slow
def test_weights_are_repetitions():
    times = np.arange(N) % 3 + 1
    weighted = em.EM(lines).run(KEY, X, Y, weights=times)
    repeated = em.EM(lines).run(KEY, np.repeat(X, times, 0), np.repeat(Y, times))
    same_fit(weighted, repeated)
    np.testing.assert_allclose(weighted.bic, repeated.bic, rtol=1e-9)
    mine = np.sort(np.asarray(weighted.standard_errors()["beta"]).ravel())
    np.testing.assert_allclose(
        mine, np.sort(np.asarray(repeated.standard_errors()["beta"]).ravel()), rtol=1e-3
    )


@pytest.mark.slow
def test_splines_are_columns():
    knots = np.r_[[-2.0] * 4, 0.0, [2.0] * 4]
    basis = interpolate.BSpline.design_matrix(X[:, 1], knots, 3).toarray()
    curves = np.stack([np.sin(2 * X[:, 1]), 4 + X[:, 1] ** 2], 1)
    y = np.take_along_axis(curves, Z[:, None], 1)[:, 0] + 0.3 * NOISE
    fit = em.EM(lines).run(KEY, basis, y)
    assert fit.spec.closed_form
    p = basis.shape[1]
    log_likelihood = line_likelihood(basis, y, functools.partial(free, p=p))
    check_maximum(fit, log_likelihood, pack(fit, "beta", "scale"))
    order = np.argsort(fit.params["beta"].mean(1))
    away = basis @ fit.params["beta"][order].T - curves
    assert np.sqrt((away**2).mean()) < 0.15


@pytest.mark.slow
def test_single_precision_far_from_zero():
    expected = plain().log_likelihood
    with jax.enable_x64(False):
        near = em.EM(lines).run(KEY, X.astype("f4"), Y.astype("f4"))
        assert near.status.ok
        assert near.log_likelihood == pytest.approx(expected, rel=1e-5)
        far = np.column_stack([X[:, 0], 1000 + X[:, 1]]).astype("f4")
        moved = em.EM(lines).run(KEY, far, Y.astype("f4"))
        assert moved.log_likelihood == pytest.approx(expected, rel=1e-3)
