"""Missing entries: NaN in continuous sites, masks elsewhere; left out of the row's likelihood."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import special, stats

from mixpyro import em, models

KEY = jax.random.key(0)
N, K = 120, 2
COVARIANCE = np.array(
    [
        [[1.0, 0.6, 0.2], [0.6, 1.0, 0.0], [0.2, 0.0, 1.0]],
        [[1, -0.3, 0], [-0.3, 1, 0.5], [0, 0.5, 2]],
    ]
)
LOC = np.array([[0.0, 0.0, 0.0], [4.0, 3.0, -2.0]])


@functools.cache
def data():
    """(complete, with gaps, which are missing); one row has nothing at all."""
    rng = np.random.default_rng(3)
    z = (rng.random(N) < 0.6).astype(int)
    noise = rng.standard_normal((N, 3))
    x = LOC[z] + np.einsum("nij,nj->ni", np.linalg.cholesky(COVARIANCE)[z], noise)
    missing = rng.random(x.shape) < 0.2
    missing[7] = True
    return x, np.where(missing, np.nan, x), missing


def scipy_rows(params, x, *, diagonal=False):
    """(n,) log p of the observed coordinates of each row, by SciPy."""
    p = {n: np.asarray(v, float) for n, v in params.items()}
    out = np.zeros(len(x))
    for i, row in enumerate(x):
        o = ~np.isnan(row)
        joint = np.log(p["weights"])
        for k in range(K):
            if diagonal:
                joint[k] += stats.norm.logpdf(row[o], p["loc"][k, o], p["scale"][k, o]).sum()
            elif o.any():
                normal = stats.multivariate_normal(
                    p["loc"][k, o], p["covariance_matrix"][k][np.ix_(o, o)]
                )
                joint[k] += normal.logpdf(row[o])
        out[i] = special.logsumexp(joint)
    return out


@functools.cache
def full_fit():
    return em.EM(models.gaussian_mixture, num_restarts=2).run(KEY, data()[1], num_components=K)


@functools.cache
def diagonal_fit():
    fitter = em.EM(models.gaussian_mixture, num_restarts=2)
    return fitter.run(KEY, data()[1], num_components=K, covariance="diagonal")


def test_a_full_covariance_has_the_density_of_the_observed_coordinates(x64):
    fit = full_fit()
    assert fit.status.ok
    rows = scipy_rows(fit.params, data()[1])
    np.testing.assert_allclose(fit.log_prob(), rows, atol=1e-9)
    assert fit.log_likelihood == pytest.approx(rows.sum(), rel=1e-11)
    assert rows[7] == pytest.approx(0, abs=1e-12)  # nothing observed: probability 1


def test_a_full_covariance_is_at_a_maximum(x64):
    fit = full_fit()
    assert np.all(np.diff(fit.trace) >= -1e-9)
    top = scipy_rows(fit.params, data()[1]).sum()
    rng = np.random.default_rng(1)
    for _ in range(20):
        near = {n: np.asarray(v) for n, v in fit.params.items()}
        step = 0.02 * rng.standard_normal((K, 3, 3))
        near["covariance_matrix"] = near["covariance_matrix"] + 0.02 * (step + step.mT)
        near["loc"] = near["loc"] + 0.02 * rng.standard_normal((K, 3))
        assert scipy_rows(near, data()[1]).sum() < top
    # The slope along the locs and the covariances is 0, by central differences.
    for name, index in (("loc", (0, 1)), ("loc", (1, 2)), ("covariance_matrix", (1, 2, 2))):
        ends = []
        for h in (-1e-4, 1e-4):
            moved = {n: np.array(v) for n, v in fit.params.items()}
            moved[name][index] += h
            ends.append(scipy_rows(moved, data()[1]).sum())
        assert abs(ends[1] - ends[0]) / 2e-4 < 1e-2, (name, index)


def test_rows_without_gaps_are_scored_as_ever(x64):
    fit = full_fit()
    x = data()[0]
    np.testing.assert_allclose(fit.log_prob(x), scipy_rows(fit.params, x), atol=1e-9)


def test_a_product_leaves_single_columns_out(x64):
    fit = diagonal_fit()
    assert fit.spec.closed_form
    rows = scipy_rows(fit.params, data()[1], diagonal=True)
    np.testing.assert_allclose(fit.log_prob(), rows, atol=1e-9)
    assert fit.log_likelihood == pytest.approx(rows.sum(), rel=1e-11)
    assert np.all(np.diff(fit.trace) >= -1e-9)
    # A fixed point of the textbook formulas on what is observed.
    r, x = np.asarray(fit.responsibilities()), data()[1]
    seen = ~np.isnan(x)
    count = np.einsum("nk,nd->kd", r, seen)
    mean = np.einsum("nk,nd->kd", r, np.where(seen, x, 0)) / count
    square = np.einsum("nk,nkd->kd", r, np.where(seen, x, 0)[:, None] ** 2 + 0 * mean) / count
    np.testing.assert_allclose(fit.params["loc"], mean, atol=1e-4)
    np.testing.assert_allclose(fit.params["scale"], np.sqrt(square - mean**2), atol=1e-4)


def masked(x, mask, y, y_seen):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(K)))
    with numpyro.plate("components", K):
        loc = numpyro.sample("loc", dist.Normal(0, 10).expand([3]).to_event(1))
        scale = numpyro.sample("scale", dist.HalfNormal(5).expand([3]).to_event(1))
        rate = numpyro.sample("rate", dist.HalfNormal(10))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]).mask(mask).to_event(1), obs=x)
        with handlers.mask(mask=y_seen):
            numpyro.sample("y", dist.Poisson(rate[z]), obs=y)


@pytest.mark.slow
def test_a_mask_and_nan_say_the_same(x64):
    x, gaps, missing = data()
    rng = np.random.default_rng(4)
    y = rng.poisson(np.where(x[:, 0] > 2, 9.0, 2.0))
    y_seen = rng.random(N) < 0.7
    fitter = em.EM(masked, num_restarts=2)
    by_nan = fitter.run(KEY, gaps, np.ones_like(missing), y, y_seen)
    # Whatever stands where the mask is False is never looked at, be it outside the support.
    by_mask = fitter.run(KEY, np.where(missing, 1e9, x), ~missing, np.where(y_seen, y, -7), y_seen)
    assert by_mask.spec.closed_form
    assert by_mask.log_likelihood == pytest.approx(by_nan.log_likelihood, rel=1e-12)
    for name in by_nan.params:
        np.testing.assert_allclose(by_mask.params[name], by_nan.params[name], rtol=1e-6)
    rate, r = np.asarray(by_mask.params["rate"]), np.asarray(by_mask.responsibilities())
    np.testing.assert_allclose(rate, (r * y_seen[:, None]).T @ y / r[y_seen].sum(0), rtol=1e-4)
    counts = stats.poisson.logpmf(y[:, None], rate)
    joint = np.log(by_mask.params["weights"]) + np.where(y_seen[:, None], counts, 0)
    joint = joint + np.nansum(
        stats.norm.logpdf(
            gaps[:, None, :], np.asarray(by_mask.params["loc"]), np.asarray(by_mask.params["scale"])
        ),
        -1,
    )
    np.testing.assert_allclose(by_mask.log_prob(), special.logsumexp(joint, 1), atol=1e-9)


def test_hard_assignment_skips_gaps_too(x64):
    fitter = em.EM(models.gaussian_mixture, assign="hard", num_restarts=2)
    fit = fitter.run(KEY, data()[1], num_components=K, covariance="diagonal")
    x, labels = data()[1], np.asarray(fit.labels)
    for k in range(K):
        np.testing.assert_allclose(fit.params["loc"][k], np.nanmean(x[labels == k], 0), rtol=1e-9)


def test_standard_errors_count_what_is_observed(x64):
    """The information of a mean is its number of observations, not of rows."""
    z = np.zeros(N, int)

    def model(x, z):
        loc = numpyro.sample("loc", dist.Normal(0, 10).expand([1, 3]).to_event(1))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(1)), obs=z)
            numpyro.sample("x", dist.Normal(loc[z], 2.0).to_event(1), obs=x)

    fit = em.EM(model).run(KEY, data()[1], z)
    number = (~data()[2]).sum(0)
    np.testing.assert_allclose(fit.standard_errors()["loc"][0], 2 / np.sqrt(number), rtol=1e-9)


@pytest.mark.slow
def test_single_precision():
    for covariance in ("full", "diagonal"):
        fit = em.EM(models.gaussian_mixture, num_restarts=2).run(
            KEY, data()[1], num_components=K, covariance=covariance
        )
        assert fit.status.ok
        assert np.all(np.diff(fit.trace) >= -1e-3)
        rows = scipy_rows(fit.params, data()[1], diagonal=covariance == "diagonal")
        np.testing.assert_allclose(fit.log_prob(), rows, atol=2e-4)


@pytest.mark.slow
def test_parameters_are_recovered_from_half_of_the_entries(x64):
    rng = np.random.default_rng(8)
    n = 4000
    z = (rng.random(n) < 0.6).astype(int)
    x = LOC[z] + np.einsum(
        "nij,nj->ni", np.linalg.cholesky(COVARIANCE)[z], rng.standard_normal((n, 3))
    )
    x = np.where(rng.random(x.shape) < 0.5, np.nan, x)
    fit = em.EM(models.gaussian_mixture).run(KEY, x, num_components=K)
    order = np.argsort(np.asarray(fit.params["loc"])[:, 0])
    errors = fit.standard_errors()
    for name, true in (("loc", LOC), ("covariance_matrix", COVARIANCE)):
        off = (np.asarray(fit.params[name])[order] - true) / errors[name][order]
        assert np.abs(off).max() < 4, name


def test_new_data_may_have_gaps_where_the_old_had_none(x64):
    fit = diagonal_fit()
    x = np.array([[0.0, np.nan, 1.0], [np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(
        fit.log_prob(x), scipy_rows(fit.params, x, diagonal=True), atol=1e-12
    )


def test_a_mask_that_depends_on_the_class_is_part_of_the_model(x64):
    """A background of uniform noise: rows of class 0 have no normal density, but a constant one."""
    x = np.concatenate([data()[0][:60, 0] / 4, np.linspace(-6, 6, 20)])
    volume = 12.0

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        loc, scale = (
            numpyro.sample("loc", dist.Normal(0, 5)),
            numpyro.sample("scale", dist.HalfNormal(2)),
        )
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc, scale).mask(z == 1), obs=x)
            numpyro.factor("noise", jnp.where(z == 0, -jnp.log(volume), 0.0))

    fit = em.EM(model, num_restarts=2).run(KEY, x)
    weights, loc, scale = (np.asarray(fit.params[n]) for n in ("weights", "loc", "scale"))
    normal = weights[1] * stats.norm.pdf(x, loc, scale)
    total = weights[0] / volume + normal
    np.testing.assert_allclose(fit.log_prob(), np.log(total), atol=1e-9)
    r = normal / total
    assert loc == pytest.approx(r @ x / r.sum(), abs=1e-5)
    assert scale == pytest.approx(np.sqrt(r @ (x - loc) ** 2 / r.sum()), abs=1e-5)
