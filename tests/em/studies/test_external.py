"""External variables in steps: against likelihoods by hand, closed forms, and simulated truth."""

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

from mixpyro import em, models

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
WAY = em.EM(models.bernoulli_mixture, num_restarts=3)
PROBS = np.array([[0.8, 0.75, 0.8, 0.7, 0.8, 0.3], [0.2, 0.3, 0.25, 0.2, 0.3, 0.7]])
TRUE = {"constant": -0.4, "slope": 0.9, "mean": np.array([0.0, 1.0])}


def simulated(seed, n=1000, probs=PROBS):
    """Items, a covariate of the class, and an outcome of it."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    # Class 1 against class 0.
    second = rng.random(n) < special.expit(TRUE["constant"] + TRUE["slope"] * z)
    classes = second.astype(int)
    x = (rng.random((n, probs.shape[1])) < probs[classes]).astype(float)
    y = rng.normal(TRUE["mean"][classes], 1.0)
    return x, z, y, classes


def fitted(x):
    """Class 0 says yes to the first item more often."""
    fit = WAY.run(KEY, x, num_components=2)
    probs = np.asarray(fit.params["probs"])[:, 0]
    return fit.sorted([0, 1] if probs[0] > probs[1] else [1, 0])


@pytest.fixture(scope="module")
def data():
    return simulated(0)


@pytest.fixture(scope="module")
def fit(data):
    with jax.enable_x64(True):
        return fitted(data[0])


def pieces(fit):
    """Responsibilities, modal assignments, and the errors of these by hand."""
    resp = np.asarray(fit.responsibilities(), float)
    assigned = np.eye(2)[resp.argmax(1)]
    return resp, assigned, (resp.T @ assigned) / resp.sum(0)[:, None]


def normal(y, mean, scale):
    return stats.norm.logpdf(y[:, None], mean, scale)


@pytest.mark.parametrize("method", ["ml", "two-step"])
def test_it_is_the_maximum_of_its_likelihood_by_hand(fit, data, method):
    x, z, y, _ = data
    _, assigned, errors = pieces(fit)
    if method == "ml":
        measured = errors[:, assigned.argmax(1)].T
    else:
        p = np.asarray(fit.params["probs"], float)
        measured = np.exp(x @ np.log(p).T + (1 - x) @ np.log1p(-p).T)

    def minus(theta):
        logit = theta[0] + theta[1] * z
        prior = np.column_stack([special.log_expit(-logit), special.log_expit(logit)])
        density = normal(y, theta[2:4], np.exp(theta[4:]))
        return -special.logsumexp(prior + density, 1, measured).sum()

    best = optimize.minimize(minus, np.r_[0, 0, 0, 1, 0, 0.0], options={"gtol": 1e-5}).x
    found = em.external(fit, y, covariates=z, method=method)
    names = ["coefficients[0, 0]", "coefficients[0, 1]", "mean[0]", "mean[1]"]
    np.testing.assert_allclose(found.table.loc[names, "estimate"], best[:4], atol=1e-4)
    scales = found.table.loc[["scale[0]", "scale[1]"], "estimate"]
    np.testing.assert_allclose(scales, np.exp(best[4:]), atol=1e-4)


@pytest.mark.parametrize("assignment", ["modal", "proportional"])
def test_bch_means_are_weighted_by_the_inverse_of_the_errors(fit, data, assignment):
    y = data[2]
    resp, assigned, _ = pieces(fit)
    assigned = assigned if assignment == "modal" else resp
    errors = (resp.T @ assigned) / resp.sum(0)[:, None]
    weights = assigned @ np.linalg.inv(errors)
    found = em.external(fit, y, method="bch", assignment=assignment).table
    expected = weights.T @ y / weights.sum(0)
    np.testing.assert_allclose(found.loc[["mean[0]", "mean[1]"], "estimate"], expected, rtol=1e-6)


@pytest.mark.parametrize("method", ["ml", "bch", "two-step"])
def test_truth_is_within_the_errors_and_counting_rows_is_not(fit, data, method):
    _, z, y, _ = data
    found = em.external(fit, y, covariates=z, method=method).table
    naive = em.external(fit, y, covariates=z, method="none").table
    for name, truth in (
        ("coefficients[0, 1]", TRUE["slope"]),
        ("mean[0]", 0.0),
        ("mean[1]", 1.0),
    ):
        assert abs(found.loc[name, "estimate"] - truth) < 3.5 * found.loc[name, "standard_error"]
    gap = naive.loc["mean[1]", "estimate"] - naive.loc["mean[0]", "estimate"]
    error = np.hypot(*naive.loc[["mean[0]", "mean[1]"], "standard_error"])
    assert gap < 1 - 2 * error
    assert naive.loc["coefficients[0, 1]", "estimate"] < found.loc["coefficients[0, 1]", "estimate"]


# Classes without doubt: all methods are what is known of known groups.
CLEAR = np.array([[0.9999] * 8, [0.0001] * 8])


@pytest.fixture(scope="module")
def clear():
    x, z, y, classes = simulated(1, 400, CLEAR)
    with jax.enable_x64(True):
        return fitted(x), z, y, classes


def test_of_certain_classes_it_is_their_means_with_robust_errors(clear):
    fit, _, y, classes = clear
    for method in ("ml", "bch", "two-step", "none"):
        table = em.external(fit, y, method=method).table
        for j in (0, 1):
            own = y[classes == j]
            error = np.sqrt(((own - own.mean()) ** 2).sum()) / len(own)
            assert table.loc[f"mean[{j}]", "estimate"] == pytest.approx(own.mean(), abs=1e-6)
            assert table.loc[f"mean[{j}]", "standard_error"] == pytest.approx(error, rel=1e-4)


def test_other_kinds_of_outcomes_of_certain_classes(clear):
    fit, _, _, classes = clear
    rng = np.random.default_rng(3)
    n, one = len(classes), classes == 1
    binary = (rng.random(n) < np.where(one, 0.7, 0.2)).astype(float)
    count = rng.poisson(np.where(one, 4.0, 1.0)).astype(float)
    category = np.where(one, rng.integers(0, 3, n), rng.integers(0, 2, n) + (rng.random(n) < 0.2))
    time, event = rng.exponential(np.where(one, 1.0, 3.0)), (rng.random(n) < 0.7).astype(float)
    count[:20] = np.nan
    there = ~np.isnan(count)
    for j in (0, 1):
        own = classes == j
        table = em.external(fit, binary, kind="binary").table
        assert table.loc[f"probability[{j}]", "estimate"] == pytest.approx(binary[own].mean())
        table = em.external(fit, count, kind="count").table
        mean = count[own & there].mean()
        assert table.loc[f"rate[{j}]", "estimate"] == pytest.approx(mean, rel=1e-5)
        table = em.external(fit, np.column_stack([time, event]), kind="survival").table
        hazard = event[own].sum() / time[own].sum()
        assert table.loc[f"hazard[{j}]", "estimate"] == pytest.approx(hazard, rel=1e-5)
        table = em.external(fit, category, kind="categorical").table
        shares = np.bincount(category[own], minlength=3) / own.sum()
        for c in (1, 2):
            odds = np.log(shares[c] / shares[0])
            assert table.loc[f"log_odds[{j}, {c - 1}]", "estimate"] == pytest.approx(odds, abs=1e-5)


def test_wald_tests_are_their_quadratic_forms(fit, data):
    _, z, y, _ = data
    found = em.external(fit, y, covariates=z)
    table = found.table
    gap = table.loc["mean[1]", "estimate"] - table.loc["mean[0]", "estimate"]
    places = [list(table.index).index(f"mean[{j}]") for j in (0, 1)]
    v = found.covariance[np.ix_(places, places)]
    statistic = gap**2 / (v[0, 0] + v[1, 1] - 2 * v[0, 1])
    omnibus = found.wald()
    assert omnibus.df == 1
    assert omnibus.statistic == pytest.approx(statistic)
    assert found.pairwise().loc[(0, 1), "statistic"] == pytest.approx(statistic)
    of_z = found.wald_of_covariate(0)
    assert of_z.statistic == pytest.approx(table.loc["coefficients[0, 1]", "z"] ** 2)
    assert of_z.pvalue == pytest.approx(table.loc["coefficients[0, 1]", "p"])


def test_what_cannot_be_is_refused(fit, data):
    _, z, y, _ = data
    for options, message in (
        ({}, "give an outcome"),
        ({"outcome": y, "method": "four-step"}, "method must be"),
        ({"outcome": y[:-1]}, r"outcome must have shape \(1000,\)"),
        ({"outcome": y, "kind": "binary"}, "it must be 0 or 1"),
        ({"outcome": 0 * y, "kind": "categorical"}, "one category only"),
        ({"covariates": z[:-1]}, "have 1000 rows"),
        ({"covariates": z, "reference": 2}, "0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            em.external(fit, **options)
    with pytest.raises(ValueError, match="no outcome"):
        em.external(fit, covariates=z).wald()


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """Of 95% intervals, in 20 data sets whose classes are unclear."""
    truths = {"coefficients[0, 1]": TRUE["slope"], "mean[0]": 0.0, "mean[1]": 1.0}
    hits = {"ml": [], "bch": []}
    for seed in range(20):
        x, z, y, _ = simulated(100 + seed, 500)
        fit = fitted(x)
        for method, own in hits.items():
            table = em.external(fit, y, covariates=z, method=method).table
            own.append(
                [table.loc[n, "lower"] < t < table.loc[n, "upper"] for n, t in truths.items()]
            )
    # Binomial(20, 0.95) is below 16 once in 390.
    for method, own in hits.items():
        assert (np.sum(own, 0) >= 16).all(), (method, np.sum(own, 0))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "assignment", "near"),
    [
        ("bch", "modal", 2e-4),
        ("bch", "proportional", 2e-4),
        # StepMix holds the sizes of the classes as in the first step, here they are found again;
        # its proportional ML weighs logarithms inside of the sum over classes.
        ("ml", "modal", 2e-3),
    ],
)
def test_estimates_are_those_of_stepmix(fit, data, method, assignment, near):
    """Three steps with the same first one (Morin et al. 2025, Journal of Statistical Software)."""
    import stepmix

    x, _, y, _ = data
    theirs = stepmix.StepMix(
        2,
        n_steps=3,
        measurement="bernoulli",
        structural="gaussian_diag",
        correction=method.upper(),
        assignment="modal" if assignment == "modal" else "soft",
        n_init=5,
        random_state=0,
        progress_bar=0,
        max_iter=20000,
    )
    parameters = theirs.fit(x, y[:, None]).get_parameters()
    order = np.argsort(-parameters["measurement"]["pis"][:, 0])
    means = parameters["structural"]["means"][order, 0]
    found = em.external(fit, y, method=method, assignment=assignment).table["estimate"]
    np.testing.assert_allclose(found[["mean[0]", "mean[1]"]], means, atol=near)


@pytest.mark.slow
def test_names_of_covariates_and_of_categories_come_back(fit, data):
    _, z, y, _ = data
    choice = np.digitize(y, [0.0, 1.0])
    words = pd.Series(np.array(["bus", "car", "walk"], object)[choice])
    frame = pd.DataFrame({"age": z})
    named = em.external(fit, words, kind="categorical", covariates=frame).table
    plain = em.external(fit, choice, kind="categorical", covariates=z).table
    np.testing.assert_allclose(named["estimate"], plain["estimate"], rtol=1e-8)
    assert named.index.tolist()[:2] == ["coefficients[0, constant]", "coefficients[0, age]"]
    others = [f"log_odds[{k}, {word}]" for k in (0, 1) for word in ("car", "walk")]
    assert named.index.tolist()[2:] == others
