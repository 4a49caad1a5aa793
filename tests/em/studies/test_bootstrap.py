"""The bootstrap against closed forms: one component, whose estimates are mean and deviation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import stats

from mixpyro import em, models

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
N = 200
_rng = np.random.default_rng(3)
X = _rng.normal(2.0, 3.0, N)


def normals(x, num_components=1, row_weights=None):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
    scale = numpyro.sample("scale", dist.HalfNormal(3))
    with (
        numpyro.plate("rows", x.shape[0]),
        handlers.scale(scale=1.0 if row_weights is None else row_weights),
    ):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


@functools.cache
def fitted(k=1):
    return em.EM(normals, num_restarts=3).run(KEY, X, num_components=k)


@pytest.mark.parametrize("kind", ["weighted", "parametric"])
def test_the_errors_of_one_normal(kind):
    """Standard errors s / sqrt(n) and s / sqrt(2 n); 1,000 replicates know them to 2.2%."""
    found = em.bootstrap(fitted(), KEY, num_replicates=1000, kind=kind)
    assert found.used.all()
    assert found.params["loc"].shape == (1000, 1)
    errors = found.standard_errors()
    scale = X.std()
    assert errors["loc"][0] == pytest.approx(scale / np.sqrt(N), rel=0.08)
    kurtosis = stats.kurtosis(X) if kind == "weighted" else 0.0
    expected = scale * np.sqrt((2 + kurtosis) / (4 * N))
    assert float(errors["scale"]) == pytest.approx(expected, rel=0.08)
    assert errors["weights"][0] == pytest.approx(0, abs=1e-12)
    low, high = found.interval(0.9)["loc"][:, 0]
    q = stats.norm.ppf(0.95) * scale / np.sqrt(N)
    assert low == pytest.approx(X.mean() - q, abs=0.15 * q)
    assert high == pytest.approx(X.mean() + q, abs=0.15 * q)
    table = found.summary(0.9)
    assert list(table.index) == ["weights[0]", "loc[0]", "scale"]
    assert table.loc["loc[0]", "lower"] == low
    assert table.loc["scale", "standard_error"] == errors["scale"]


@pytest.mark.slow
def test_a_row_of_weight_w_counts_as_w_rows():
    """Weights (3, 0): the variance of the weighted mean is that of thrice the rows."""
    weights = np.where(np.arange(N) < N // 2, 3.0, 0.0)
    fit = em.EM(normals).run(KEY, X, num_components=1, row_weights=weights)
    found = em.bootstrap(fit, KEY, num_replicates=1000)
    used = X[: N // 2]
    expected = used.std() / np.sqrt(3 * len(used))
    assert found.standard_errors()["loc"][0] == pytest.approx(expected, rel=0.08)
    with pytest.raises(ValueError, match="row weights"):
        em.bootstrap(fit, KEY, kind="parametric")


@pytest.mark.slow
def test_one_component_is_not_rejected_and_two_are_found(watch_jax):
    two = em.EM(normals, num_restarts=3).run(KEY, X, num_components=2)
    found = em.bootstrap_lrt(fitted(), two, KEY, 39, num_restarts=2)
    assert found.statistic == pytest.approx(2 * (two.log_likelihood - fitted().log_likelihood))
    assert found.replicates.shape == (39,)
    assert np.all(found.replicates > -1e-4)
    rank = (found.replicates >= found.statistic).sum()
    assert found.pvalue == (1 + rank) / 40
    assert found.pvalue > 0.05
    apart = X + 9 * (np.arange(N) < 80)
    small, big = (em.EM(normals, num_restarts=3).run(KEY, apart, num_components=k) for k in (1, 2))
    with watch_jax() as work:
        assert em.bootstrap_lrt(small, big, KEY, 39, num_restarts=2).pvalue == 1 / 40
    assert "ratios" not in work.compiled + work.traced, "that of the first data serves these"
    with pytest.raises(ValueError, match="different data"):
        em.bootstrap_lrt(fitted(), big, KEY)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="'weighted' or 'parametric'"):
        em.bootstrap(fitted(), KEY, kind="wild")
    with pytest.raises(ValueError, match="num_replicates"):
        em.bootstrap(fitted(), KEY, num_replicates=1)


def test_observations_that_are_made_inside_the_model_cannot_be_simulated():
    def inside(x):
        with numpyro.plate("components", 1):
            loc = numpyro.sample("loc", dist.Normal(0, 5))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(1)))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=jnp.log(x))

    fit = em.EM(inside).run(KEY, np.exp(X / 4))
    with pytest.raises(ValueError, match="no argument of the model"):
        em.bootstrap(fit, KEY, kind="parametric")


@pytest.mark.slow
def test_gaps_of_categories_stay_where_they_were(x64):
    """One class: the errors of simulated data are those of the rows that are there."""
    rng = np.random.default_rng(0)
    x = (rng.random((400, 3)) < [0.3, 0.5, 0.8]).astype(float)
    x[:300, 0] = np.nan
    x[::2, 1] = np.nan
    fits = [em.EM(models.bernoulli_mixture).run(KEY, x, num_components=k) for k in (1, 2)]
    found = em.bootstrap(fits[0], KEY, num_replicates=150, kind="parametric")
    there = (~np.isnan(x)).sum(0)
    p = np.nanmean(x, axis=0)
    np.testing.assert_allclose(
        found.standard_errors()["probs"][0], np.sqrt(p * (1 - p) / there), rtol=0.2
    )
    test = em.bootstrap_lrt(*fits, KEY, num_replicates=9, num_restarts=2)
    assert test.pvalue > 0.1
    assert np.isfinite(test.replicates).sum() == 9
