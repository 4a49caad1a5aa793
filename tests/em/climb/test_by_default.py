"""What a user gets who names no option: the best optimum known, soon, in both precisions."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, stats
from sklearn.datasets import load_iris

from mixpyro import em, models
from mixpyro.em.climb.stopping import left

# Velocities of 82 galaxies in 1000 km/s: Roeder (1990), JASA 85:617, as R's MASS has them.
GALAXIES = (
    np.array(
        [
            *(9172, 9350, 9483, 9558, 9775, 10227, 10406, 16084, 16170, 18419, 18552, 18600, 18927),
            *(19052, 19070, 19330, 19343, 19349, 19440, 19473, 19529, 19541, 19547, 19663, 19846),
            *(19856, 19863, 19914, 19918, 19973, 19989, 20166, 20175, 20179, 20196, 20215, 20221),
            *(20415, 20629, 20795, 20821, 20846, 20875, 20986, 21137, 21492, 21701, 21814, 21921),
            *(21960, 22185, 22209, 22242, 22249, 22314, 22374, 22495, 22746, 22747, 22888, 22914),
            *(23206, 23241, 23263, 23484, 23538, 23542, 23666, 23706, 23711, 24129, 24285, 24289),
            *(24366, 24717, 24990, 25633, 26690, 26995, 32065, 32789, 34279),
        ]
    )
    / 1000
)


def normals(x, k):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
    with numpyro.plate("components", k):
        loc = numpyro.sample("loc", dist.Normal(0, 10))
        scale = numpyro.sample("scale", dist.HalfNormal(5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def log_likelihood(x, weights, loc, scale):
    return float(np.log(stats.norm.pdf(x[:, None], loc, scale) @ np.asarray(weights)).sum())


def best_from(x, weights, loc, scale):
    """SciPy's optimum of the likelihood written by hand, from one start."""
    k = len(loc)

    def minus(theta):
        weights = np.exp(np.r_[0, theta[: k - 1]])
        return -log_likelihood(
            x, weights / weights.sum(), theta[k - 1 : 2 * k - 1], np.exp(theta[2 * k - 1 :])
        )

    start = np.r_[np.log(np.asarray(weights[1:]) / weights[0]), loc, np.log(scale)]
    return -optimize.minimize(minus, start, method="BFGS", options={"gtol": 1e-6}).fun


# Groups that lie apart: where most starts go is 0.19 and 1.8 lower.
APART = {
    2: ([0.09, 0.91], [9.7, 21.9], [0.4, 3.7]),
    4: ([0.09, 0.5, 0.37, 0.04], [9.7, 20.0, 23.5, 33.0], [0.4, 1.3, 1.5, 0.9]),
}


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.slow
def test_the_best_of_the_galaxies_is_found_by_every_key(k, x64):
    best = best_from(GALAXIES, *APART[k])
    for number in range(5):
        fit = em.EM(normals).run(jax.random.key(number), GALAXIES, k=k)
        assert fit.log_likelihood > best - 1e-3
        assert fit.status.ok
    seen = fit.restarts
    top = (seen["objective"] - fit.objective).abs() < 1e-2
    assert f"found by {top.sum()} of {len(seen)} starts" in fit.message


def overlapping():
    rng = np.random.default_rng(0)
    return np.where(rng.random(5000) < 0.5, 0, 1.5) + rng.normal(size=5000)


@pytest.mark.slow
def test_where_em_crawls_the_default_takes_a_fraction_of_its_steps(x64):
    x = overlapping()
    fit = em.EM(normals, num_restarts=2).run(jax.random.key(0), x, k=2)
    plain = em.EM(normals, accelerate=None, num_restarts=2).run(jax.random.key(0), x, k=2)
    assert fit.status.ok
    assert plain.num_steps > 2000
    assert fit.num_steps < plain.num_steps / 3
    assert fit.log_likelihood >= plain.log_likelihood - 1e-6
    np.testing.assert_allclose(fit.trace[:50], plain.trace[:50], rtol=1e-12)  # EM's own steps
    assert np.all(np.diff(fit.trace) >= -1e-9)
    start = [np.asarray(fit.params[name], float) for name in ("weights", "loc", "scale")]
    assert fit.log_likelihood == pytest.approx(best_from(x, *start), abs=1e-5)


def test_single_precision_reaches_the_optimum_of_double_precision():
    x = overlapping()
    fit = em.EM(normals, num_restarts=2).run(jax.random.key(0), x, k=2)
    assert fit.log_likelihood.__class__ is float
    params = [np.asarray(fit.params[name], float) for name in ("weights", "loc", "scale")]
    own = log_likelihood(x, *params)
    assert fit.base_status.ok
    assert own == pytest.approx(best_from(x, *params), abs=0.01)
    assert fit.log_likelihood == pytest.approx(own, abs=0.01)


def test_what_is_left_of_a_climb_by_spans_of_its_trace():
    """A geometric climb: what is left is known."""
    t = np.arange(81.0)
    trace = -3 * 0.9**t
    assert left(trace) == pytest.approx(-trace[-1], rel=1e-9)
    noisy = trace + 1e-5 * np.sin(7 * t)
    assert left(noisy, 1e-3) == pytest.approx(-trace[-1], abs=1e-3)
    assert left(np.zeros(81)) == 0
    assert left(t) == np.inf


# Least sums of squares of Fisher's iris: Bagirov (2008), Pattern Recognition 41:3192.
PARTITIONS = {2: 152.348, 3: 78.851, 4: 57.228, 5: 46.446, 6: 39.040}


@pytest.mark.parametrize(
    "k", [pytest.param(k, marks=[pytest.mark.slow] * (k > 3)) for k in PARTITIONS]
)
def test_the_best_partitions_of_iris_are_found_by_every_key(k, x64):
    x = load_iris().data
    for number in range(5):
        found = em.kmeans(x, k, jax.random.key(number))
        assert found.inertia == pytest.approx(PARTITIONS[k], abs=1e-3)
        assert found.status.ok


def test_no_unit_of_the_data_makes_k_means_stop_short(x64):
    """What is negligible is told by the data's size."""
    x = load_iris().data
    for unit in (1e-6, 1e6):
        found = em.kmeans(unit * x, 6, jax.random.key(1))
        assert found.inertia / unit**2 == pytest.approx(PARTITIONS[6], abs=1e-3)


def lines(far):
    """Two lines that cross, and eleven rows at a height ``far`` away; their groups."""
    rng = np.random.default_rng(1)
    group = np.repeat([0, 1, 2], [150, 139, 11])
    x = rng.normal(size=300)
    slope = np.array([1.0, -1.0, 2.0])[group]
    return x, np.array([0.0, 8.0, far])[group] + slope * x + 0.3 * rng.normal(size=300), group


def test_lines_that_cross_beside_rows_far_away(precision):
    """No start sees both lines, and climbs ended on the saddle where two components are the same.

    The best is no lower than each group's own least squares.
    """
    x, y, group = lines(5000.0)
    design = np.c_[np.ones(300), x]
    fit = em.EM(models.linear_regression_mixture).run(
        0, y, covariates=design, num_components=3, tied_scale=True
    )
    assert fit.status is em.Status.CONVERGED, fit.message
    parts = [(design[group == j], np.asarray(y, precision)[group == j]) for j in range(3)]
    rest = np.concatenate([b - a @ np.linalg.lstsq(a, b)[0] for a, b in parts])
    sizes = np.bincount(group)
    best = stats.norm.logpdf(rest, 0, rest.std()).sum() + (sizes * np.log(sizes / 300)).sum()
    assert fit.log_likelihood == pytest.approx(best, abs=0.05)


def test_two_groups_beside_one_far_away(precision):
    _, y, group = lines(1e5)
    y = np.asarray(y, precision).astype(float)
    fit = em.EM(models.gaussian_mixture).run(0, y[:, None], num_components=3, covariance="tied")
    assert fit.status is em.Status.CONVERGED, fit.message
    rest = np.concatenate([y[group == j] - y[group == j].mean() for j in range(3)])
    sizes = np.bincount(group)
    of_groups = stats.norm.logpdf(rest, 0, rest.std()).sum() + (sizes * np.log(sizes / 300)).sum()
    assert fit.log_likelihood > of_groups - 0.05
