"""What a fit tells of the whole and of rows: criteria, the trace, densities, responsibilities."""

import numpy as np
import pytest
from scipy import special

from mixpyro import em

from ..two_normals import INIT, KEY, N, X, joint, normals

pytestmark = pytest.mark.usefixtures("x64")


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


def test_a_fit_prints_itself(fit):
    assert "2 components, 60 rows" in repr(fit)
    assert "CONVERGED" in repr(fit)


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
