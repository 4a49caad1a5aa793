"""What a fit tells: criteria, rows, simulation, files, standard errors, and how it went."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.infer import Predictive
from scipy import special, stats

from mixpyro import em, models

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
N = 60
_rng = np.random.default_rng(23)
X = np.where(np.arange(N) < 38, 0.0, 3.0) + _rng.normal(size=N)


def normals(x, num_components=2, *, weights=None):
    shares = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    scaled = handlers.scale(scale=1.0 if weights is None else weights)
    with numpyro.plate("rows", x.shape[0]), scaled:
        z = numpyro.sample("z", dist.Categorical(shares))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


INIT = {"weights": np.array([0.6, 0.4]), "loc": np.array([0.0, 3.0]), "scale": np.ones(2)}


def joint(x, params):
    weights, loc, scale = (np.asarray(params[n], float) for n in ("weights", "loc", "scale"))
    return np.log(weights) + stats.norm.logpdf(np.asarray(x)[:, None], loc, scale)


@pytest.fixture(scope="module")
def fit():
    with jax.enable_x64(True):
        return em.EM(normals, tolerance=1e-12).run(KEY, X, num_components=2, init_params=INIT)


# ---- criteria -----------------------------------------------------------------------------------


def test_the_criteria_are_their_formulas(fit):
    table = joint(X, fit.params)
    total = special.logsumexp(table, axis=1)
    log_likelihood = total.sum()
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-9)
    assert fit.trace[-1] == pytest.approx(log_likelihood, abs=1e-9)
    assert fit.num_free_params == 5
    assert fit.aic == pytest.approx(-2 * log_likelihood + 10, abs=1e-8)
    bic = -2 * log_likelihood + 5 * np.log(N)
    assert fit.bic == pytest.approx(bic, abs=1e-8)
    largest = np.exp(table - total[:, None]).max(1)
    assert fit.icl == pytest.approx(bic - 2 * np.log(largest).sum(), abs=1e-7)
    assert fit.icl > fit.bic


def test_the_trace_starts_after_the_first_step():
    """One EM step, in NumPy, from the given start."""
    fit = em.EM(normals, max_steps=1).run(KEY, X, num_components=2, init_params=INIT)
    table = joint(X, INIT)
    resp = np.exp(table - special.logsumexp(table, axis=1)[:, None])
    count = resp.sum(0)
    loc = resp.T @ X / count
    scale = np.sqrt((resp * (X[:, None] - loc) ** 2).sum(0) / count)
    np.testing.assert_allclose(fit.params["loc"], loc, rtol=1e-9)
    np.testing.assert_allclose(fit.params["scale"], scale, rtol=1e-9)
    after = {"weights": count / N, "loc": loc, "scale": scale}
    assert fit.trace.shape == (1,)
    expected = special.logsumexp(joint(X, after), axis=1).sum()
    assert fit.trace[0] == pytest.approx(expected, abs=1e-9)
    assert fit.status is em.Status.MAX_STEPS
    assert not fit.status.ok
    assert "max_steps" in fit.message


def test_throw_raises_what_the_message_says():
    with pytest.raises(em.FitError, match="max_steps"):
        em.EM(normals, max_steps=1, throw=True).run(KEY, X, num_components=2, init_params=INIT)


def test_throw_is_silent_where_all_is_well(fit):
    again = em.EM(normals, tolerance=1e-12, throw=True).run(
        KEY, X, num_components=2, init_params=INIT
    )
    assert again.log_likelihood == fit.log_likelihood


# ---- rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", [None, np.array([0.5, 2.0, -3.0, 9.0, 1.4])])
def test_rows_are_scored_by_bayes_rule(new, fit):
    """The number of components is remembered."""
    args = () if new is None else (new,)
    table = joint(X if new is None else new, fit.params)
    total = special.logsumexp(table, axis=1)
    resp = np.exp(table - total[:, None])
    np.testing.assert_allclose(fit.responsibilities(*args), resp, atol=1e-9)
    np.testing.assert_allclose(fit.log_prob(*args), total, atol=1e-9)
    np.testing.assert_array_equal(fit.predict(*args), resp.argmax(1))


def test_a_single_row_and_a_far_away_row_are_scored(fit):
    assert fit.responsibilities(np.array([1.0])).shape == (1, 2)
    far = fit.responsibilities(np.array([1e6, -1e6]))
    np.testing.assert_allclose(np.asarray(far).sum(1), 1)
    assert np.isfinite(np.asarray(fit.log_prob(np.array([1e6])))).all()


# ---- simulation ---------------------------------------------------------------------------------


def test_sample_gives_the_training_shape(fit):
    draws = fit.sample(jax.random.key(1))
    assert {name: value.shape for name, value in draws.items()} == {"z": (N,), "x": (N,)}
    other = fit.sample(jax.random.key(2))
    assert not np.array_equal(draws["x"], other["x"])
    again = fit.sample(jax.random.key(1))
    np.testing.assert_array_equal(draws["x"], again["x"])


def test_sample_of_another_size_has_the_fitted_distribution(fit):
    draws = fit.sample(jax.random.key(1), np.zeros(20_000))
    x, z = np.asarray(draws["x"]), np.asarray(draws["z"])
    assert x.shape == z.shape == (20_000,)
    expected = np.asarray(fit.params["weights"]) * 20_000
    assert stats.chisquare(np.bincount(z, minlength=2), expected).pvalue > 1e-4
    for j in range(2):
        loc, scale = float(fit.params["loc"][j]), float(fit.params["scale"][j])
        assert stats.kstest(x[z == j], stats.norm(loc, scale).cdf).pvalue > 1e-4


@pytest.fixture(scope="module")
def counts_fit():
    with jax.enable_x64(True):
        x = _rng.poisson(np.where(np.arange(N) < 30, 2.0, 14.0))
        return em.EM(models.poisson_mixture, num_restarts=2).run(KEY, x, num_components=2)


def test_sample_takes_num_rows(counts_fit):
    draws = counts_fit.sample(jax.random.key(3), num_rows=8000)
    z, x = np.asarray(draws["z"]), np.asarray(draws["x"])
    assert x.shape == (8000,)
    (rate,) = (np.asarray(v) for n, v in counts_fit.params.items() if n != "weights")
    for j in range(2):
        rows = x[z == j]
        assert abs(rows.mean() - rate[j]) < 5 * np.sqrt(rate[j] / len(rows))


# ---- NumPyro ------------------------------------------------------------------------------------


def test_params_go_into_numpyro_unchanged(fit):
    model = handlers.seed(handlers.substitute(normals, fit.params), jax.random.key(0))
    sites = handlers.trace(model).get_trace(jnp.asarray(X), 2)
    for name, value in fit.params.items():
        np.testing.assert_array_equal(sites[name]["value"], value)
    predictive = Predictive(
        handlers.uncondition(normals), params=fit.params, num_samples=50, return_sites=["x", "z"]
    )
    draws = predictive(jax.random.key(0), jnp.asarray(X), 2)
    x, z = np.asarray(draws["x"]), np.asarray(draws["z"])
    assert x.shape == (50, N)
    for j in range(2):
        loc, scale = float(fit.params["loc"][j]), float(fit.params["scale"][j])
        assert stats.kstest(x[z == j], stats.norm(loc, scale).cdf).pvalue > 1e-4


# ---- files --------------------------------------------------------------------------------------


@pytest.fixture
def saved(fit, tmp_path):
    path = tmp_path / "fit.npz"
    fit.save(path)
    return path


def test_a_fit_comes_back_from_its_file(fit, saved):
    back = em.load(saved, normals)
    assert list(back.params) == list(fit.params)
    for name, value in fit.params.items():
        np.testing.assert_array_equal(back.params[name], value)
        assert back.params[name].dtype == value.dtype
    np.testing.assert_array_equal(back.trace, fit.trace)
    np.testing.assert_array_equal(back.counts, fit.counts)
    assert back.restarts.equals(fit.restarts)
    assert back.spec == fit.spec
    assert (back.status, back.message) == (fit.status, fit.message)
    for name in ("log_likelihood", "objective", "num_steps", "aic", "bic", "icl"):
        assert getattr(back, name) == getattr(fit, name)
    np.testing.assert_array_equal(back.predict(), fit.predict())
    new = np.array([0.1, 2.2, 1.7])
    np.testing.assert_array_equal(back.log_prob(new), fit.log_prob(new))
    errors, expected = back.standard_errors(), fit.standard_errors()
    for name in expected:
        np.testing.assert_allclose(errors[name], expected[name], rtol=1e-9)


def test_the_file_needs_no_pickle_and_no_mixpyro(fit, saved):
    with np.load(saved, allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    np.testing.assert_array_equal(stored["params/loc"], fit.params["loc"])
    np.testing.assert_array_equal(stored["trace"], fit.trace)
    meta = json.loads(str(stored["meta"]))
    assert meta["status"] == "CONVERGED"
    assert meta["log_likelihood"] == fit.log_likelihood


def test_a_wrong_model_is_refused(saved):
    def other(x, num_components, *, weights=None):
        mean = numpyro.sample("mean", dist.Normal(0, 5).expand([num_components]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(num_components) / 2))
            numpyro.sample("x", dist.Normal(mean[z], 1.0), obs=x)

    with pytest.raises(ValueError, match="weights, loc, scale"):
        em.load(saved, other)


def test_a_model_whose_sites_have_other_shapes_is_refused(saved):
    def tied(x, num_components, *, weights=None):
        shares = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([num_components]))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(shares))
            numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)

    with pytest.raises(ValueError, match="scale"):
        em.load(saved, tied)


def test_a_file_that_holds_no_fit_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(ValueError, match="no mixpyro fit"):
        em.load(tmp_path / "other.npz", normals)


# ---- standard errors ----------------------------------------------------------------------------


def numerical_hessian(function, point, step=1e-4):
    """Central differences, fourth order in the diagonal's sense: error O(step^2)."""
    size = len(point)
    hessian = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            total = 0.0
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                moved = point.copy()
                moved[i] += a * step
                moved[j] += b * step
                total += a * b * function(moved)
            hessian[i, j] = total / (4 * step**2)
    return hessian


def test_standard_errors_are_those_of_a_numerical_hessian(fit):
    """The likelihood in (w_0, loc, scale), by SciPy; the second weight is 1 - w_0."""

    def log_likelihood(v):
        table = np.log([v[0], 1 - v[0]]) + stats.norm.logpdf(X[:, None], v[1:3], v[3:5])
        return special.logsumexp(table, axis=1).sum()

    names = ("loc", "scale")
    point = np.concatenate([[fit.params["weights"][0]], *(fit.params[n] for n in names)])
    covariance = np.linalg.inv(-numerical_hessian(log_likelihood, point.astype(float)))
    expected = np.sqrt(np.diagonal(covariance))
    errors = fit.standard_errors()
    np.testing.assert_allclose(errors["weights"], expected[[0, 0]], rtol=1e-3)
    np.testing.assert_allclose(errors["loc"], expected[1:3], rtol=1e-3)
    np.testing.assert_allclose(errors["scale"], expected[3:5], rtol=1e-3)
    assert not any(error.mask.any() for error in errors.values())


def test_the_summary_is_wald_s_interval_inside_the_support(fit):
    table = fit.summary(0.9)
    assert list(table.columns) == ["estimate", "standard_error", "lower", "upper", "note"]
    assert table.index.name == "parameter"
    rows = ["weights[0]", "weights[1]", "loc[0]", "loc[1]", "scale[0]", "scale[1]"]
    assert list(table.index) == rows
    q = stats.norm.ppf(0.95)
    row = table.loc["loc[1]"]
    assert row["estimate"] == pytest.approx(float(fit.params["loc"][1]))
    assert row["lower"] == pytest.approx(row["estimate"] - q * row["standard_error"])
    assert row["upper"] == pytest.approx(row["estimate"] + q * row["standard_error"])
    row = table.loc["scale[0]"]
    factor = np.exp(q * row["standard_error"] / row["estimate"])
    assert row["lower"] == pytest.approx(row["estimate"] / factor)
    assert row["upper"] == pytest.approx(row["estimate"] * factor)
    row = table.loc["weights[0]"]
    p = row["estimate"]
    step = q * row["standard_error"] / (p * (1 - p))
    assert row["lower"] == pytest.approx(special.expit(special.logit(p) - step))
    assert row["upper"] == pytest.approx(special.expit(special.logit(p) + step))
    assert set(table["note"]) == {""}


def test_entries_at_the_boundary_are_masked_with_the_reason():
    """An item that one class never has: its probability is 0, a true optimum."""
    items = np.array([[1, 1, 1, 1]] * 9 + [[0, 0, 0, 0]] * 11)
    items = np.where(_rng.random(items.shape) < [0, 0.2, 0.2, 0.2], 1 - items, items)
    start = np.where(np.arange(20)[:, None] < 9, [0.9, 0.1], [0.1, 0.9])
    fit = em.EM(models.bernoulli_mixture).run(
        KEY, items, num_components=2, init_responsibilities=start
    )
    probs = np.asarray(fit.params["probs"])
    table = np.log(fit.params["weights"]) + stats.bernoulli.logpmf(items[:, None], probs).sum(-1)
    expected = special.logsumexp(table, axis=1).sum()
    assert fit.log_likelihood == pytest.approx(expected, abs=1e-6)
    edge = (probs < 1e-6) | (probs > 1 - 1e-6)  # a millionth of a row
    assert edge.any()
    errors = fit.standard_errors()
    np.testing.assert_array_equal(errors["probs"].mask, edge)
    assert np.isfinite(errors["probs"].compressed()).all()
    assert (errors["probs"].compressed() > 0).all()
    table = fit.summary()
    for j, d in np.argwhere(edge):
        row = table.loc[f"probs[{j}, {d}]"]
        assert row["note"] == "boundary"
        assert np.isnan(row["standard_error"])
        assert f"probs[{j}, {d}]" in fit.message
    assert fit.status.ok


@pytest.mark.parametrize("kind", ["two_coins", "bernoulli_mixture"])
def test_single_tosses_do_not_identify_two_coins(kind):
    x = (np.arange(30) % 3 == 0).astype(int)
    if kind == "two_coins":
        fit = em.EM(models.two_coins, num_restarts=2).run(KEY, x, num_tosses=1)
        pi, p, q = (float(fit.params[n]) for n in ("pi", "p", "q"))
        heads = pi * p + (1 - pi) * q
    else:
        model = models.bernoulli_mixture
        fit = em.EM(model, num_restarts=2).run(KEY, x[:, None], num_components=2)
        heads = float(fit.params["weights"] @ fit.params["probs"][:, 0])
    assert heads == pytest.approx(1 / 3, abs=1e-4)
    assert fit.log_likelihood == pytest.approx(10 * np.log(1 / 3) + 20 * np.log(2 / 3), abs=1e-6)
    assert fit.status is em.Status.NOT_IDENTIFIED
    assert not fit.status.ok
    assert "do not determine" in fit.message
    assert "handlers.condition" in fit.message
    for name in fit.params:
        if name != "x":
            assert name in fit.message
    assert "not identified" in set(fit.summary()["note"])
    assert all(error.mask.all() for error in fit.standard_errors().values())


# ---- how it went --------------------------------------------------------------------------------


def test_the_restarts_are_a_table(counts_fit):
    table = counts_fit.restarts
    assert list(table.columns) == ["objective", "num_steps", "status", "smallest_scale", "chosen"]
    assert len(table) == 2
    assert table["chosen"].sum() == 1
    chosen = table[table["chosen"]].iloc[0]
    assert chosen["objective"] == pytest.approx(counts_fit.objective)
    assert chosen["num_steps"] == counts_fit.num_steps == len(counts_fit.trace)
    assert chosen["objective"] == pytest.approx(table["objective"].max(), abs=1e-6)
    assert set(table["status"]) == {"CONVERGED"}


def test_twenty_tied_values_never_give_a_singular_component_silently():
    """A component on 20 equal values has no positive scale: its likelihood is unbounded."""
    x = np.concatenate([np.full(20, 1.5), _rng.normal(0, 2, 40)])
    fit = em.EM(normals, num_restarts=4).run(KEY, x, num_components=2)
    params = {n: np.asarray(v) for n, v in fit.params.items()}
    assert all(np.isfinite(v).all() for v in params.values())
    if fit.status is em.Status.CONVERGED:
        assert params["scale"].min() > 0.01
        expected = special.logsumexp(joint(x, params), axis=1).sum()
        assert fit.log_likelihood == pytest.approx(expected, abs=1e-6)
    else:
        assert fit.status in (em.Status.COLLAPSED, em.Status.NEARLY_SINGULAR)
        assert "hare the scale" in fit.message
        assert "fewer components" in fit.message


def test_a_start_on_the_tied_values_collapses_and_says_so():
    x = np.concatenate([np.full(20, 1.5), _rng.normal(0, 2, 40)])
    init = {"weights": np.array([0.4, 0.6]), "loc": np.array([1.5, 0.0]), "scale": [0.02, 2.0]}
    fit = em.EM(normals).run(KEY, x, num_components=2, init_params=init)
    assert fit.status is em.Status.COLLAPSED
    assert not fit.status.ok
    for remedy in ("Share the scale", "handlers.condition", "fewer components", "prior"):
        assert remedy in fit.message
    assert all(np.isfinite(v).all() for v in fit.params.values())
    assert list(fit.restarts["status"]) == ["COLLAPSED"]
    with pytest.raises(em.FitError, match="unbounded"):
        em.EM(normals, throw=True).run(KEY, x, num_components=2, init_params=init)


@pytest.fixture(scope="module")
def collapsed():
    with jax.enable_x64(True):
        x = np.column_stack([X, np.full(N, 2.0)])
        return em.EM(models.gaussian_mixture, num_restarts=2).run(KEY, x, num_components=2)


def test_a_constant_column_collapses_with_finite_parameters(collapsed):
    assert collapsed.status is em.Status.COLLAPSED
    assert "unbounded" in collapsed.message
    assert all(np.isfinite(v).all() for v in collapsed.params.values())


def test_no_nan_leaves_the_summary_of_a_collapsed_fit(collapsed):
    table = collapsed.summary()
    assert np.isfinite(table["estimate"]).all()
    missing = table["standard_error"].isna()
    assert (table.loc[missing, "note"] != "").all()


def test_kmeans_reseeds_an_emptied_cluster_and_says_so():
    x = np.array([[0.0, 0.0], [0.2, 0.0], [0.0, 0.2], [5.0, 5.0], [5.2, 5.0], [5.0, 5.2]])
    found = em.kmeans(x, 2, KEY, init=np.array([[2.5, 2.5], [1e3, 1e3]]))
    assert np.bincount(found.labels, minlength=2).tolist() in ([3, 3],)
    centroids = np.asarray(found.centroids)
    expected = np.array([x[:3].mean(0), x[3:].mean(0)])
    np.testing.assert_allclose(centroids[np.argsort(centroids[:, 0])], expected, atol=1e-9)
    inertia = sum(((part - part.mean(0)) ** 2).sum() for part in (x[:3], x[3:]))
    assert found.inertia == pytest.approx(inertia)
    assert found.fit.reseeded >= 1
    assert "re-seeded" in found.message
    assert found.status is em.Status.CONVERGED


def test_rows_of_weight_0_are_dropped():
    """Even where they hold nonsense."""
    weights = np.where(np.arange(N) % 4 == 0, 0.0, 1.0 + np.arange(N) % 3)
    x = np.where(weights == 0, 1e3, X)
    used = weights > 0
    fits = [
        em.EM(normals).run(KEY, a, num_components=2, weights=w, init_params=INIT)
        for a, w in ((x, weights), (X[used], weights[used]))
    ]
    for name, value in fits[1].params.items():
        np.testing.assert_allclose(fits[0].params[name], value, rtol=1e-6)
    assert fits[0].log_likelihood == pytest.approx(fits[1].log_likelihood, abs=1e-7)
    rows = special.logsumexp(joint(X, fits[0].params), axis=1)
    assert fits[0].log_likelihood == pytest.approx(weights @ rows, abs=1e-7)
    assert fits[0].total_weight == weights.sum()
    assert fits[0].bic == pytest.approx(
        -2 * fits[0].log_likelihood + 5 * np.log(weights.sum()), abs=1e-7
    )
    resp = np.exp(joint(X, fits[0].params) - rows[:, None])[used]
    price = -2 * weights[used] @ np.log(resp.max(1))
    assert fits[0].icl == pytest.approx(fits[0].bic + price, abs=1e-6)
    np.testing.assert_allclose(np.asarray(fits[0].log_prob())[used], rows[used], atol=1e-8)
    assert np.isfinite(np.asarray(fits[0].responsibilities())).all()


def test_frequency_weights_are_repeated_rows():
    weights = 1 + np.arange(N) % 3
    one = em.EM(normals).run(
        KEY, X, num_components=2, weights=weights.astype(float), init_params=INIT
    )
    other = em.EM(normals).run(KEY, np.repeat(X, weights), num_components=2, init_params=INIT)
    for name, value in other.params.items():
        np.testing.assert_allclose(one.params[name], value, rtol=1e-5)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-6)
    assert one.bic == pytest.approx(other.bic, abs=1e-5)


def test_a_fit_prints_itself(fit):
    assert "2 components, 60 rows" in repr(fit)
    assert "CONVERGED" in repr(fit)
