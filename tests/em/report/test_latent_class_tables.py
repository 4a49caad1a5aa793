"""What papers on latent classes report: against Goodman's (1974) published figures and by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import special

from mixpyro import em, models
from mixpyro.data import load_earthquakes

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
# Role conflict, 216 students by four dilemmas: Stouffer & Toby (1951), American Journal of
# Sociology 56:395, as in Goodman (1974), Biometrika 61:215.
COUNTS = [42, 23, 6, 25, 6, 24, 7, 38, 1, 4, 1, 6, 2, 9, 2, 20]
PATTERNS = np.array(list(itertools.product([0, 1], repeat=4)))
ROLES = np.repeat(PATTERNS, COUNTS, axis=0)


def fitted(k, x=ROLES, **data):
    way = em.EM(models.latent_class)
    return way.run(KEY, x, num_components=k, num_categories=2, **data)


@pytest.fixture(scope="module")
def two():
    with jax.enable_x64(True):
        return fitted(2)


@pytest.mark.parametrize(("k", "g_squared", "df"), [(1, 81.08, 11), (2, 2.72, 6)])
def test_g_squared_as_goodman_has_it(k, g_squared, df):
    found = em.goodness_of_fit(fitted(k))
    assert found.g_squared == pytest.approx(g_squared, abs=5e-3)
    assert found.df == df
    assert found.pvalue == pytest.approx(special.gammaincc(df / 2, found.g_squared / 2))
    assert np.isnan(found.bootstrap_pvalue)


def test_chi_squared_is_its_formula(two):
    p = {n: np.asarray(v, float) for n, v in two.params.items()}
    cells = [(p["probs"][:, range(4), row].prod(1) * p["weights"]).sum() for row in PATTERNS]
    expected = 216 * np.array(cells)
    found = em.goodness_of_fit(two)
    assert found.chi_squared == pytest.approx(((COUNTS - expected) ** 2 / expected).sum(), rel=1e-9)


@pytest.mark.slow
def test_the_simulated_law_is_about_chi_squared(two):
    found = em.goodness_of_fit(two, KEY, 99)
    assert found.replicates.shape == (99,)
    # The mean of chi-squared with 6 degrees of freedom, but for simulation (sd 3.5 / 10).
    assert np.nanmean(found.replicates) == pytest.approx(6, abs=1.4)
    assert np.nanmin(found.replicates) > 0
    assert found.bootstrap_pvalue == pytest.approx(found.pvalue, abs=0.2)
    one = em.goodness_of_fit(fitted(1), KEY, 99)
    assert one.bootstrap_pvalue == pytest.approx(1 / 100)


def test_bivariate_residuals_by_hand():
    one = fitted(1)
    table = one.bivariate_residuals()
    assert list(table.index) == [
        (f"x[{a}]", f"x[{b}]") for a, b in itertools.combinations(range(4), 2)
    ]
    share = ROLES.mean(0)
    for (a, b), (_, row) in zip(itertools.combinations(range(4), 2), table.iterrows(), strict=True):
        observed = np.array(
            [[((ROLES[:, a] == i) & (ROLES[:, b] == j)).sum() for j in (0, 1)] for i in (0, 1)]
        )
        expected = 216 * np.outer([1 - share[a], share[a]], [1 - share[b], share[b]])
        assert row["chi_squared"] == pytest.approx(
            ((observed - expected) ** 2 / expected).sum(), rel=1e-6
        )
        assert row["residual"] == row["chi_squared"]
    assert (table["residual"] > 3.84).all()
    assert (fitted(2).bivariate_residuals()["residual"] < 2).all()


def test_items_of_missing_entries_are_compared_where_both_are_there():
    there = np.ones(ROLES.shape, bool)
    there[::5, 2] = False

    def model(x, there):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(1)))
        probs = numpyro.sample("probs", dist.Beta(1, 1).expand([1, 4]))
        with numpyro.plate("rows", len(x), dim=-2):
            z = numpyro.sample("z", dist.Categorical(weights))
            with numpyro.plate("items", 4, dim=-1), handlers.mask(mask=there):
                numpyro.sample("x", dist.Bernoulli(probs[z, jnp.arange(4)]), obs=x)

    fit = em.EM(model).run(KEY, ROLES, there)
    table = fit.bivariate_residuals()
    x, seen = ROLES, there[:, 2]
    share = np.array([ROLES[there[:, j], j].mean() for j in range(4)])
    observed = np.array(
        [[((x[seen, 1] == i) & (x[seen, 2] == j)).sum() for j in (0, 1)] for i in (0, 1)]
    )
    expected = seen.sum() * np.outer([1 - share[1], share[1]], [1 - share[2], share[2]])
    assert table.loc[("x[1]", "x[2]"), "chi_squared"] == pytest.approx(
        ((observed - expected) ** 2 / expected).sum(), rel=1e-6
    )
    with pytest.raises(ValueError, match="entries are missing"):
        em.goodness_of_fit(fit)


def test_numbers_are_no_items():
    fit = em.EM(models.gaussian_mixture).run(
        KEY, ROLES[:, :1] + 0.1 * np.arange(216)[:, None], num_components=1
    )
    with pytest.raises(ValueError, match="site 'x' is"):
        fit.bivariate_residuals()


def test_indices_by_their_formulas(two):
    found = two.indices()
    minus, p, n = -2 * two.log_likelihood, 9, 216
    resp = np.asarray(two.responsibilities())
    entropy = -special.xlogy(resp, resp).sum()
    assert two.num_free_params == p
    expected = {
        "aic": minus + 18,
        "aic3": minus + 27,
        "bic": minus + p * np.log(n),
        "sabic": minus + p * np.log(218 / 24),
        "caic": minus + p * np.log(n) + p,
        "clc": minus + 2 * entropy,
        "awe": minus + 2 * entropy + 2 * p * (1.5 + np.log(n)),
        "relative_entropy": 1 - entropy / (n * np.log(2)),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name
    # Goodman's likelihood: G^2 to the saturated model.
    saturated = special.xlogy(COUNTS, np.array(COUNTS) / 216).sum()
    assert found["log_likelihood"] == pytest.approx(saturated - 2.72 / 2, abs=3e-3)
    assert np.isnan(fitted(1).indices()["relative_entropy"])


def test_the_classification_table(two):
    table = two.classification_table()
    resp = np.asarray(two.responsibilities())
    assigned = resp.argmax(1)
    for j in (0, 1):
        assert table.loc[j, "n"] == (assigned == j).sum()
        for i in (0, 1):
            assert table.loc[j, f"posterior[{i}]"] == pytest.approx(resp[assigned == j, i].mean())
    np.testing.assert_allclose(table["estimated"], two.params["weights"], rtol=1e-5)
    assert table["assigned"].sum() == pytest.approx(1)


def test_profiles_are_the_summary_by_class(two):
    profiles, table = two.profiles(), two.summary()
    assert set(profiles.index.get_level_values("class")) == {0, 1}
    for (entry, j), row in profiles.iterrows():
        label = f"weights[{j}]" if entry == "weights" else entry.replace("[", f"[{j}, ")
        for column in ("estimate", "standard_error", "lower", "upper"):
            assert row[column] == table.loc[label, column]
    assert profiles["estimate"].unstack().shape == (9, 2)


def test_classes_are_sorted_everywhere(two):
    for by in ("size", "weights", [1, 0]):
        fit = two.sorted(by)
        weights = np.asarray(fit.params["weights"])
        if by == "size":
            assert weights[0] > weights[1]
        elif by == "weights":
            assert weights[0] < weights[1]
        else:
            np.testing.assert_array_equal(weights, two.params["weights"][::-1])
        assert fit.log_likelihood == two.log_likelihood
        flip = weights[0] != two.params["weights"][0]
        order = [1, 0] if flip else [0, 1]
        np.testing.assert_array_equal(fit.params["probs"], two.params["probs"][jnp.array(order)])
        np.testing.assert_allclose(
            fit.responsibilities(), np.asarray(two.responsibilities())[:, order], rtol=1e-9
        )
        errors, old = fit.standard_errors(), two.standard_errors()
        np.testing.assert_allclose(errors["probs"], old["probs"][order], rtol=1e-6)
    with pytest.raises(ValueError, match="a permutation of 0"):
        two.sorted([0, 0])
    with pytest.raises(ValueError, match="one number a class"):
        two.sorted("probs")


def test_the_largest_class_is_so_by_the_weights_of_its_rows():
    """Two patterns of one class, each once, and one of the other, nine times."""
    x, people = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 1]]), np.array([1.0, 1.0, 9.0])
    start = {"init_responsibilities": np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])}
    fit = fitted(2, x, weights=people, **start).sorted("size")
    np.testing.assert_allclose(fit.params["weights"], [9 / 11, 2 / 11], atol=1e-6)


def test_classes_that_values_tell_apart_are_not_renamed():
    def model(x):
        return models.poisson_mixture(x, num_components=2)

    held = handlers.condition(model, {"weights": jnp.array([0.3, 0.7])})
    x = np.random.default_rng(0).poisson(np.where(np.arange(80) < 25, 2.0, 15.0))
    fit = em.EM(held).run(KEY, x)
    with pytest.raises(ValueError, match="cannot be renamed"):
        fit.sorted([1, 0])


def test_z_and_ratios_of_the_summary():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(200), rng.normal(size=200)])
    y = rng.poisson(np.exp(0.5 + 0.8 * x[:, 1]))
    fit = em.EM(models.poisson_regression_mixture).run(KEY, y, covariates=x, num_components=1)
    table = fit.summary(tests=True, exponentiate=True)
    row = table.loc["coefficients[0, 1]"]
    assert row["z"] == pytest.approx(row["estimate"] / row["standard_error"])
    assert row["p"] == pytest.approx(special.erfc(abs(row["z"]) / np.sqrt(2)))
    for name, of in (("exp", "estimate"), ("exp_lower", "lower"), ("exp_upper", "upper")):
        assert row[name] == pytest.approx(np.exp(row[of]))
    assert table.loc["weights[0]", ["z", "p", "exp"]].isna().all()


@pytest.mark.slow
def test_steps_of_a_chain_are_no_independent_rows():
    counts = load_earthquakes()["earthquakes"].to_numpy()
    fit = em.EM(models.hidden_markov, num_restarts=1).run(KEY, counts, num_components=2)
    assert "icl" not in fit.indices()
    table = fit.classification_table()
    assert table["n"].sum() == len(counts)
    resp = np.asarray(fit.responsibilities())
    np.testing.assert_allclose(table["estimated"], resp.mean(0), rtol=1e-9)
    for call in (
        fit.bivariate_residuals,
        lambda: em.goodness_of_fit(fit),
        lambda: em.external(fit, np.zeros(len(counts))),
    ):
        with pytest.raises(ValueError, match=r"independent rows|one latent class a row"):
            call()
