"""Where single precision is too coarse for the climb, it is made, or ended, in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, special, stats
from sklearn.mixture import GaussianMixture

from mixpyro import em, models

MODULE = "mixpyro.em.in_double"


@pytest.fixture(autouse=True)
def in_single():
    assert not jax.config.jax_enable_x64
    yield
    assert not jax.config.jax_enable_x64


def collinear(n=1000, off=0.02):
    """Two groups along a line, that lie ``off`` from it: the columns correlate by 0.9998."""
    rng = np.random.default_rng(0)
    along = np.where(rng.random(n) < 0.4, 0.0, 2.0) + rng.normal(size=n)
    return np.stack([along, along + off * rng.normal(size=n)], 1).astype(np.float32)


def log_likelihood(x, params):
    weights, loc, cov = (
        np.asarray(params[name], float) for name in ("weights", "loc", "covariance_matrix")
    )
    each = [stats.multivariate_normal(m, c).logpdf(x) for m, c in zip(loc, cov, strict=True)]
    return np.logaddexp(*(np.log(weights)[:, None] + each)).sum()


@pytest.fixture(scope="module")
def fit():
    return em.EM(models.gaussian_mixture, num_restarts=4).run(0, collinear(), num_components=2)


def test_collinear_columns_are_fitted_as_in_double_precision(fit):
    x = collinear().astype(float)
    assert fit.base_status.ok
    assert fit.status.ok
    assert fit.log_likelihood == pytest.approx(log_likelihood(x, fit.params), abs=0.01)
    weights, loc, cov = (
        np.asarray(fit.params[n], float) for n in ("weights", "loc", "covariance_matrix")
    )
    on = GaussianMixture(
        2,
        tol=1e-10,
        max_iter=3000,
        reg_covar=0,
        weights_init=weights / weights.sum(),
        means_init=loc,
        precisions_init=np.linalg.inv(cov),
    ).fit(x)
    assert on.score(x) * len(x) < fit.log_likelihood + 1e-4
    assert np.diff(fit.trace).min() > -1e-6


def test_its_numbers_are_in_single_precision(fit):
    for array in (*fit.params.values(), fit.responsibilities(), fit.log_prob()):
        assert array.dtype == jnp.float32
    assert fit.restarts["status"][fit.restart_results.chosen] == fit.status.name


def test_what_was_found_is_kept_in_files(fit, tmp_path):
    fit.save(tmp_path / "fit.npz")
    again = em.load(tmp_path / "fit.npz", models.gaussian_mixture)
    assert (again.status, again.log_likelihood) == (fit.status, fit.log_likelihood)


def two_normals(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("k", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("n", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


@pytest.mark.slow
def test_many_rows_are_climbed_to_the_top():
    """SciPy's optimum from there is no higher, and what is reported is the likelihood there."""
    rng = np.random.default_rng(3)
    x = (np.where(rng.random(150_000) < 0.3, 1.6, 0) + rng.normal(size=150_000)).astype(np.float32)
    fit = em.EM(two_normals, num_restarts=2).run(0, x)
    assert fit.status.ok
    x = x.astype(float)

    def minus(theta):
        share = 1 / (1 + np.exp(-theta[0]))
        each = stats.norm.logpdf(x, theta[1:3, None], np.exp(theta[3:, None]))
        return -np.logaddexp(np.log(share) + each[0], np.log1p(-share) + each[1]).sum()

    weights, loc, scale = (np.asarray(fit.params[n], float) for n in ("weights", "loc", "scale"))
    theta = np.r_[np.log(weights[0] / weights[1]), loc, np.log(scale)]
    assert fit.log_likelihood == pytest.approx(-minus(theta), abs=0.01)
    best = -optimize.minimize(minus, theta, method="BFGS", options={"gtol": 1e-2}).fun
    assert fit.log_likelihood > best - 0.01
    # Its part in single precision has no more digits.
    assert np.diff(fit.trace).min() > -np.spacing(np.float32(-best))


def test_rows_too_large_to_be_held_again_are_left_with_a_warning(monkeypatch):
    monkeypatch.setattr(f"{MODULE}._ROOM", 0)
    with pytest.warns(UserWarning, match=r"em\.Batches.*log-likelihood"):
        fit = em.EM(models.gaussian_mixture, num_restarts=4).run(0, collinear(), num_components=2)
    assert not fit.status.ok


def test_so_is_a_model_that_has_no_double_precision():
    def insists(x):
        if jax.config.jax_enable_x64:
            raise TypeError("single precision only")
        models.gaussian_mixture(x, num_components=2)

    with pytest.warns(UserWarning, match="single precision only"):
        fit = em.EM(insists, num_restarts=4).run(0, collinear())
    assert not fit.status.ok


def test_in_double_precision_nothing_is_done_twice(monkeypatch, x64):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(f"{MODULE}._ended", never)
    fit = em.EM(models.gaussian_mixture, num_restarts=4).run(
        0, collinear().astype(float), num_components=2
    )
    assert fit.status.ok


@pytest.mark.slow
def test_on_a_flat_ridge_single_precision_ends_where_double_does():
    """Four overlapping normals: what a step gains is lost in rounding long before the top."""
    rng = np.random.default_rng(0)
    centres = 1.5 * np.concatenate([np.zeros((1, 3)), np.eye(3)])
    x = centres[rng.integers(4, size=20_000)] + rng.normal(size=(20_000, 3))
    start = {
        "weights": np.full(4, 0.25),
        "loc": centres,
        "covariance_matrix": np.broadcast_to(np.eye(3), (4, 3, 3)),
    }
    ends = []
    for double in (False, True):
        with jax.enable_x64(double):
            run = em.EM(models.gaussian_mixture).run(0, x, num_components=4, init_params=start)
        assert run.base_status.ok
        weights, loc, cov = (np.asarray(run.params[n], float) for n in start)
        each = [stats.multivariate_normal(m, c).logpdf(x) for m, c in zip(loc, cov, strict=True)]
        each += np.log(weights / weights.sum())[:, None]
        ends.append(float(special.logsumexp(each, 0).sum()))
    assert ends[0] == pytest.approx(ends[1], abs=0.01)


@pytest.mark.parametrize(("seed", "apart"), [(1, 300.0), (2, 300.0), (3, 300.0), (1, 5000.0)])
def test_a_scale_that_is_shared_by_classes_hundreds_of_it_apart(seed, apart):
    """Its square is the difference of sums 10,000 times as large: MISREAD in single precision.

    Where they are thousands of it apart, such climbs were COLLAPSED, and a start that took all
    rows for one class was the best.
    """
    rng = np.random.default_rng(seed)
    z = rng.integers(3, size=300)
    x = rng.normal(size=(300, 3)) * [0.7, 1, 1.5] + apart * z[:, None] * [1, -1, 0.5]
    x = x.astype(np.float32)

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
        scale = numpyro.sample("scale", dist.HalfNormal(3).expand([3]).to_event(1))
        with numpyro.plate("components", 3):
            loc = numpyro.sample("loc", dist.Normal(0, 10).expand([3]).to_event(1))
        with numpyro.plate("rows", len(x)):
            component = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[component], scale).to_event(1), obs=x)

    fit = em.EM(model, num_restarts=3).run(0, x)
    assert fit.status is em.Status.CONVERGED, fit.message
    assert fit.params["scale"].dtype == jnp.float32
    x = x.astype(float)
    means = np.stack([x[z == j].mean(0) for j in range(3)])
    scale = np.sqrt(((x - means[z]) ** 2).mean(0))
    shares = np.bincount(z) / 300
    np.testing.assert_allclose(fit.params["scale"], scale, rtol=1e-4)
    best = stats.norm.logpdf(x, means[z], scale).sum() + np.log(shares[z]).sum()
    assert fit.log_likelihood == pytest.approx(best, abs=1e-3)


def far_apart(distance):
    rng = np.random.default_rng(0)
    z = rng.random(400) < 0.4
    return z, np.where(z, 0, distance) + rng.normal(size=400)


def test_classes_thousands_of_their_scales_apart():
    """Their relative scales are below what single precision has digits for."""
    z, x = far_apart(3e4)
    x = x.astype(np.float32)
    fit = em.EM(two_normals).run(0, x)
    assert fit.status is em.Status.CONVERGED, fit.message
    each = [
        stats.norm.logpdf(r, r.mean(), r.std()).sum()
        for r in (x[z].astype(float), x[~z].astype(float))
    ]
    share = z.mean()
    best = sum(each) + 400 * (share * np.log(share) + (1 - share) * np.log(1 - share))
    assert fit.log_likelihood == pytest.approx(best, abs=0.01)


@pytest.mark.parametrize("equal", [False, True])
def test_what_has_no_width_in_double_precision_either_is_said(x64, equal):
    z, x = far_apart(3e7)
    x = np.where(z, 0.0, x - 3e7) if equal else x
    fit = em.EM(two_normals).run(0, x)
    assert "collapsed on many rows" in fit.message
    assert fit.restart_results.narrow


def test_in_batches_it_is_said_too(tmp_path):
    np.save(tmp_path / "x.npy", far_apart(3e4)[1].astype(np.float32))
    fit = em.EM(two_normals, num_restarts=3).run(0, em.Batches(tmp_path / "x.npy", batch_size=200))
    assert "collapsed on many rows" in fit.message


def test_climbs_of_one_top_are_compared_in_double_precision():
    """In single precision the other of two alike came out 0.03 above the top, and was taken."""
    low, high = 3000 + 2 * np.arange(8), 53001 + 2 * np.arange(8)
    x = np.ravel([low, high], "F")
    fit = em.EM(models.poisson_mixture, num_restarts=2).run(0, x, num_components=2)
    assert fit.status is em.Status.CONVERGED, fit.message
    rows = stats.poisson.logpmf(low, low.mean()), stats.poisson.logpmf(high, high.mean())
    best = np.sum(rows) - 16 * np.log(2)
    assert fit.log_likelihood == pytest.approx(best, abs=1e-5)
    np.testing.assert_allclose(fit.restarts["objective"], best, atol=1e-5)
