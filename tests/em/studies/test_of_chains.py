"""Studies of chains go by sequence; states are renamed in all their places."""

import jax
import numpy as np
import pytest

from mixpyro import em
from mixpyro.data import load_earthquakes

from ..chain_forms import earthquakes, ragged

KEY = jax.random.key(0)
COUNTS = load_earthquakes()["earthquakes"].to_numpy()

pytestmark = pytest.mark.usefixtures("x64")


def panel(number, length, seed):
    """Sequences of two states that are well apart, and their lengths."""
    rng = np.random.default_rng(seed)
    z = np.zeros((length, number), int)
    z[0] = rng.random(number) < 0.4
    for t in range(1, length):
        z[t] = np.where(rng.random(number) < 0.25, 1 - z[t - 1], z[t - 1])
    x = rng.normal(np.array([-2.0, 2.0])[z], [[1.0]])
    return x, rng.integers(length // 2, length + 1, number)


def test_states_in_another_order():
    fit = em.EM(earthquakes, num_restarts=1, max_steps=3).run(KEY, COUNTS, num_states=3)
    order = [2, 0, 1]
    other = fit.sorted(order)
    moved = np.asarray(fit.params["transition"])[np.ix_(order, order)]
    np.testing.assert_array_equal(other.params["transition"], moved)
    np.testing.assert_array_equal(other.params["initial"], fit.params["initial"][np.array(order)])
    np.testing.assert_allclose(
        other.responsibilities(), np.asarray(fit.responsibilities())[:, order], atol=1e-12
    )
    np.testing.assert_array_equal(np.array(order)[np.asarray(other.decode())], fit.decode())
    by_rate = fit.sorted("rate").params["rate"]
    np.testing.assert_array_equal(by_rate, np.sort(fit.params["rate"]))
    table = fit.profiles()
    found = [table.loc[(f"transition[{j}]", 1), "estimate"] for j in range(3)]
    np.testing.assert_allclose(found, fit.params["transition"][1])


def test_one_sequence_is_not_split():
    fit = em.EM(earthquakes, num_restarts=1, max_steps=3).run(KEY, COUNTS, num_states=3)
    with pytest.raises(ValueError, match="chain of one: use kind='parametric'"):
        em.bootstrap(fit, KEY)
    with pytest.raises(ValueError, match="chain of one: compare by aic"):
        em.cross_validate(em.EM(earthquakes, num_restarts=1), KEY, COUNTS, num_states=3)


@pytest.mark.slow
def test_a_fold_is_scored_by_the_fit_to_the_other_sequences():
    x, lengths = panel(12, 8, 1)
    fitter = em.EM(ragged, num_restarts=2, tolerance=1e-10)
    found = em.cross_validate(fitter, KEY, x, lengths, num_folds=3)
    assert found.per_row.shape == found.folds.shape == (12,)
    held = found.folds == 0
    fit = fitter.run(KEY, x[:, ~held], lengths[~held])
    expected = fit.log_prob(x[:, held], lengths[held])
    np.testing.assert_allclose(found.per_row[held], expected, atol=1e-4)
    np.testing.assert_allclose(found.log_likelihood, found.per_row.sum(), atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["weighted", "parametric"])
def test_sequences_are_replicated(kind):
    """States are all but seen, so that the information says what replicates vary by."""
    x, lengths = panel(80, 8, 2)
    fit = em.EM(ragged, num_restarts=2).run(KEY, x, lengths)
    again = em.bootstrap(fit, jax.random.key(1), num_replicates=150, kind=kind, max_steps=100)
    assert again.used.all()
    errors, found = fit.standard_errors(), again.standard_errors()
    for name, error in errors.items():  # 150 replicates tell a standard error to a twentieth
        np.testing.assert_allclose(found[name], error.filled(np.nan), rtol=0.3)
