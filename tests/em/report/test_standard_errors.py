"""Standard errors against numerical Hessians, and why some are masked."""

import numpy as np
import pytest
from scipy import special, stats

from mixpyro import em, models

from ..two_normals import KEY, X

pytestmark = pytest.mark.usefixtures("x64")
_rng = np.random.default_rng(23)


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
