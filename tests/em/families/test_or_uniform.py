"""Normals beside uniform noise, by `models.contaminated_mixture`: robust, exact, and named."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, special, stats

from mixpyro import em, models
from mixpyro.distributions import or_uniform

KEY = jax.random.key(0)
LOC = np.array([[-3.0, 0.0], [3.0, 1.0]])
SHARES = np.array([0.35, 0.45, 0.2])
COVARIANCE = np.array([[[1.0, 0.5], [0.5, 0.7]], [[0.6, -0.2], [-0.2, 1.2]]])


def simulated():
    rng = np.random.default_rng(2)
    z = rng.choice(3, 400, p=SHARES)
    normal = [rng.multivariate_normal(m, c, 400) for m, c in zip(LOC, COVARIANCE, strict=True)]
    noise = rng.uniform([-20.0, -10.0], [20.0, 10.0], (400, 2))
    return np.choose(z[:, None], [*normal, noise])


X = simulated()


def log_rows(x, weights, loc, covariance, low, high):
    """``log sum_j weights_j N_j(x) + weights_k / volume`` (n,), written with SciPy."""
    pairs = zip(loc, covariance, strict=True)
    terms = [stats.multivariate_normal.logpdf(x, m, c) for m, c in pairs]
    inside = ((x >= low) & (x <= high)).all(1)
    volume = np.prod(np.broadcast_to(high, x.shape[1:]) - low)
    with np.errstate(divide="ignore"):
        terms.append(np.log(inside / volume))
    return special.logsumexp(np.stack(terms, 1) + np.log(weights), axis=1)


def edges(x):
    return x.min(0), x.max(0)


def unpack(v):
    """Two components in two dimensions from 12 real numbers."""
    weights = special.softmax([v[0], v[1], 0.0])
    factor = np.zeros((2, 2, 2))
    factor[:, [0, 1, 1], [0, 0, 1]] = v[6:].reshape(2, 3)
    return weights, v[2:6].reshape(2, 2), factor @ factor.transpose(0, 2, 1)


@functools.cache
def fitted():
    return em.EM(models.contaminated_mixture, num_restarts=4).run(KEY, X, num_components=2)


def ordered(fit):
    order = np.argsort(np.asarray(fit.params["loc"])[:, 0])
    names = ("weights", "loc", "covariance_matrix")
    weights, loc, matrix = (np.asarray(fit.params[n]) for n in names)
    return np.append(weights[order], weights[2:]), loc[order], matrix[order]


def test_outliers_leave_the_estimates_alone(x64):
    fit = fitted()
    assert fit.status is em.Status.CONVERGED
    assert fit.spec.closed_form
    assert fit.num_free_params == 2 + 4 + 6
    assert np.all(np.diff(fit.trace) >= -1e-9)
    weights, loc, matrix = ordered(fit)
    errors = fit.standard_errors()
    # 4 standard errors of every entry.
    assert np.abs(loc - LOC).max() < 4 * errors["loc"].max()
    assert np.abs(matrix - COVARIANCE).max() < 4 * errors["covariance_matrix"].max()
    assert np.abs(weights - SHARES).max() < 4 * errors["weights"].max()
    # Without a background no two normals are near the truth.
    plain = em.EM(models.gaussian_mixture, num_restarts=4).run(KEY, X, num_components=2)
    variances = np.diagonal(plain.params["covariance_matrix"], axis1=1, axis2=2)
    assert variances.max() > 10 * COVARIANCE.max()


def test_the_optimum_is_scipys(x64):
    fit = fitted()
    start = np.concatenate([[0.5, 0.8], LOC.ravel(), [1.0, 0.4, 0.7, 0.8, -0.2, 1.0]])
    box = edges(X)
    found = optimize.minimize(
        lambda v: -log_rows(X, *unpack(v), *box).sum(), start, options={"gtol": 1e-4}
    )
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-6)
    for ours, theirs in zip(ordered(fit), unpack(found.x), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)
    np.testing.assert_allclose(fit.log_prob(), log_rows(X, *ordered(fit), *box), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("covariance", ["tied", "diagonal", "spherical", "EVE", "VVI", "EII"])
def test_every_structure_climbs_to_a_maximum(covariance, x64):
    """No point nearby is higher by the formula, in random directions of the parameters."""
    fit = em.EM(models.contaminated_mixture, num_restarts=3).run(
        KEY, X, num_components=2, covariance=covariance
    )
    assert fit.status is em.Status.CONVERGED
    assert fit.spec.closed_form
    assert np.all(np.diff(fit.trace) >= -1e-9)
    program, arrays = fit.program, fit.rows.arrays
    names = tuple(p.name for p in program.structure.free)
    params = {n: fit.params[n] for n in names}
    start = program.unconstrain(params, arrays, names)

    def likelihood(moved):
        new = program.constrain(moved, params, arrays)
        matrices = np.stack([np.asarray(component(new, j, covariance)) for j in range(2)])
        return log_rows(X, new["weights"], new["loc"], matrices, *edges(X)).sum()

    top = likelihood(start)
    assert fit.log_likelihood == pytest.approx(top, abs=1e-8)
    rng = np.random.default_rng(3)
    for _ in range(20):
        step = {n: 1e-3 * rng.standard_normal(v.shape) for n, v in start.items()}
        ahead, back = (
            likelihood({n: v + sign * step[n] for n, v in start.items()}) for sign in (1, -1)
        )
        assert ahead + back < 2 * top
        assert abs(ahead - back) < 1e-4


def component(params, j, covariance):
    if covariance == "tied":
        return params["covariance_matrix"]
    if "scale" in params:
        return jnp.diag(jnp.broadcast_to(params["scale"][j], 2) ** 2)
    volume = jnp.broadcast_to(params["volume"], 2)[j]
    shape = jnp.broadcast_to(params.get("log_shape", jnp.zeros(2)), (2, 2))[j]
    axes = params.get("orientation", jnp.eye(2))
    return volume * axes @ jnp.diag(jnp.exp(shape)) @ axes.T


@pytest.mark.slow
def test_priors_are_taken_in_beside_noise(x64):
    """Normal locs, inverse Wishart covariances and a Dirichlet: SciPy finds nothing higher."""
    fit = em.EM(models.contaminated_mixture, objective="posterior", num_restarts=2).run(
        KEY, X, num_components=2, weights_concentration=2.0, spread=10.0
    )
    assert fit.status is em.Status.CONVERGED
    assert fit.spec.closed_form
    assert np.all(np.diff(fit.trace) >= -1e-9)
    low, high = edges(X)
    matrix_prior = stats.invwishart(5, 0.04 * np.diag([100.0, 100.0]))

    def density(v):
        weights, loc, matrices = unpack(v)
        prior = stats.norm.logpdf(loc, (low + high) / 2, high - low).sum()
        prior += stats.dirichlet.logpdf(weights, [2, 2, 2])
        prior += sum(matrix_prior.logpdf(c) for c in matrices)
        return log_rows(X, weights, loc, matrices, low, high).sum() + prior

    weights, loc, matrix = ordered(fit)
    factor = np.linalg.cholesky(matrix)[:, [0, 1, 1], [0, 0, 1]]
    point = np.concatenate([np.log(weights[:2] / weights[2]), loc.ravel(), factor.ravel()])
    assert fit.objective == pytest.approx(density(point), abs=1e-7)
    found = optimize.minimize(lambda v: -density(v), point)
    assert -found.fun < fit.objective + 1e-6
    assert np.abs(optimize.approx_fprime(point, density, 1e-6)).max() < 1e-2


@pytest.mark.slow
def test_rows_outside_the_box_are_no_noise(x64):
    """A smaller box: EM's density on statistics is the formula's, and 0 for noise outside."""
    model, kwargs = models.contaminated_mixture, {"low": -9.0, "high": 9.0, "num_components": 2}
    fit = em.EM(model, num_restarts=2).run(KEY, X, **kwargs)
    outside = (np.abs(X) > 9).any(1)
    assert outside.any()
    assert fit.log_likelihood == pytest.approx(
        log_rows(X, *ordered(fit), -9.0, 9.0).sum(), abs=1e-8
    )
    assert np.all(fit.responsibilities()[outside, 2] == 0)
    assert np.all(np.diff(fit.trace) >= -1e-9)


def test_a_normal_of_one_row_beside_noise_is_a_collapse(x64):
    """Even with a covariance that all normals share, the likelihood is unbounded."""
    start = {
        "weights": np.array([0.01, 0.99]),
        "loc": X[:1],
        "covariance_matrix": 1e-8 * np.eye(2),
    }
    fit = em.EM(models.contaminated_mixture).run(
        KEY, X, num_components=1, covariance="tied", init_params=start
    )
    assert fit.status is em.Status.COLLAPSED


@pytest.mark.slow
def test_a_missing_entry_is_left_out(x64):
    x = X.copy()
    x[::7, 1] = np.nan
    fit = em.EM(models.contaminated_mixture, num_restarts=3).run(
        KEY, x, num_components=2, covariance="diagonal"
    )
    assert fit.spec.closed_form
    low, high = np.nanmin(x, 0), np.nanmax(x, 0)
    weights, loc, scale = (np.asarray(fit.params[n]) for n in ("weights", "loc", "scale"))
    cells = np.stack([stats.norm.logpdf(x, m, s) for m, s in zip(loc, scale, strict=True)], 1)
    cells = np.concatenate([cells, np.tile(-np.log(high - low), (len(x), 1, 1))], 1)
    cells = np.where(np.isnan(x)[:, None], 0, cells).sum(-1)
    by_row = special.logsumexp(cells + np.log(weights), axis=1)
    np.testing.assert_allclose(fit.log_prob(), by_row, rtol=1e-9)
    assert fit.log_likelihood == pytest.approx(by_row.sum(), abs=1e-8)
    assert np.all(np.diff(fit.trace) >= -1e-9)


@pytest.mark.slow
def test_single_precision_and_a_wide_offset():
    """Rows at the corners of the box count as inside, wherever the box lies."""
    near = em.EM(models.contaminated_mixture, num_restarts=2).run(
        KEY, X.astype(np.float32), num_components=2
    )
    far = em.EM(models.contaminated_mixture, num_restarts=2).run(
        KEY, (X + 1e4).astype(np.float32), num_components=2
    )
    assert near.status.ok
    assert far.status.ok
    assert near.log_likelihood == pytest.approx(far.log_likelihood, abs=2)
    np.testing.assert_allclose(
        np.sort(near.params["weights"]), np.sort(far.params["weights"]), atol=0.01
    )


@pytest.mark.slow
def test_classes_with_boxes_of_their_own_are_no_estimate(x64):
    """One box is read; two would be scored wrongly, so the fit says that it has no objective."""

    def two_boxes(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
        loc = numpyro.sample("loc", dist.Normal(0.0, 5.0))
        low = jnp.array([-20.0, -20.0, -10.0])
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", or_uniform(dist.Normal(loc, 1.0), z > 0, low[z], 20.0), obs=x)

    fit = em.EM(two_boxes, num_restarts=1).run(KEY, X[:, 0])
    assert fit.status is em.Status.NOT_FINITE
