"""What was published of the examples of chains and nested classes (`test_examples_run.py`)."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit


def hidden_markov(found):
    """Zucchini and MacDonald (2009), section 4.3: EM of two states, and of three."""
    two = found["two"]
    np.testing.assert_allclose(np.sort(two.params["rate"]), [15.421, 26.018], atol=1e-3)
    assert two.log_likelihood == pytest.approx(-341.8787, abs=5e-5)
    assert found["fits"][3].log_likelihood == pytest.approx(-328.5275, abs=5e-5)


def latent_transition(found):
    """By SciPy, from all pairs of classes of a boy; one class by the shares of the answers."""
    table, fits = found["table"], found["fits"]
    cells, boys = table.to_numpy()[:, :4].reshape(-1, 2, 2), table["boys"].to_numpy()

    def minus(u):
        first, stay, p = expit(u[0]), expit(u[1:3]), expit(u[3:]).reshape(2, 2)
        moves = np.array([[stay[0], 1 - stay[0]], [1 - stay[1], stay[1]]])
        density = np.prod(np.where(cells[:, :, None], p, 1 - p), -1)  # (cell, interview, class)
        begun = density[:, 0] * [first, 1 - first]
        return -boys @ np.log(np.sum(begun @ moves * density[:, 1], 1))

    solved = minimize(minus, [0, 1, 1, 1, 1, -1, -1], tol=1e-10)  # never quite at the boundary
    assert fits[2].log_likelihood == pytest.approx(-solved.fun, abs=2e-4)
    assert fits[2].log_likelihood > -solved.fun - 1e-7
    shares = np.average(cells, 0, boys).mean(0)
    np.testing.assert_allclose(fits[1].params["probs"][0, :, 1], shares, atol=1e-6)


def markov_chain_mixture(found):
    """One class by counting pairs; two by SciPy, from the sixteen patterns."""
    wheeze, fits = found["wheeze"], found["fits"]
    before, after = wheeze[:, :-1].ravel(), wheeze[:, 1:].ravel()
    counted = [after[before == i].mean() for i in (0, 1)]
    np.testing.assert_allclose(fits[1].params["transition"][0, :, 1], counted, atol=1e-6)
    patterns, seen = found["patterns"], found["seen"]

    def minus(u):
        p = expit(u[1:]).reshape(2, 3)  # of each class: at first, after 0, after 1
        chance = np.concatenate([p[:, :1] + np.zeros((2, 1)), p[:, 1:]], 1)
        steps = [chance[:, :1] * np.ones(16)]
        steps += [chance[:, 1 + patterns[:, t]] for t in range(3)]
        each = [np.where(patterns[:, t], s, 1 - s) for t, s in enumerate(steps)]
        return -seen @ np.log([expit(u[0]), expit(-u[0])] @ np.prod(each, 0))

    starts = np.random.default_rng(0).normal(0, 2, (10, 7))
    solved = min(minimize(minus, start, tol=1e-10).fun for start in starts)
    assert fits[2].log_likelihood == pytest.approx(-solved, abs=2e-4)  # never at the boundary
    assert fits[2].log_likelihood > -solved - 1e-7


def multilevel_latent_class(found):
    """By SciPy, from all classes of both interviews; one kind of boys is the saturated table."""
    fits, boys = found["fits"], found["boys"]
    cells = found["table"].to_numpy()[:, :4].reshape(-1, 2, 2)  # pattern, interview, item
    pairs = np.bincount((cells @ [2, 1]).T.ravel(), np.tile(boys, 2))
    assert fits[1].log_likelihood == pytest.approx(pairs @ np.log(pairs / pairs.sum()), abs=1e-5)

    def minus(u):
        kinds, moods, p = expit(u[0]), expit(u[1:3]), expit(u[3:]).reshape(2, 2)
        density = np.prod(np.where(cells[:, :, None], p, 1 - p), -1)  # (pattern, interview, class)
        of_kind = np.prod(density @ np.stack([moods, 1 - moods]), 1)
        return -boys @ np.log(of_kind @ [kinds, 1 - kinds])

    solved = minimize(minus, [0, 3, -3, 1, 1, -1, -1], tol=1e-10)  # never quite at the boundary
    assert fits[2].log_likelihood == pytest.approx(-solved.fun, abs=2e-4)
    assert fits[2].log_likelihood > -solved.fun - 1e-7


def switching_regression(found):
    """StataCorp, Time-Series Reference Manual, mswitch, example 1."""
    fit = found["fit"]
    assert fit.log_likelihood == pytest.approx(-508.63592, abs=1e-5)
    order = np.argsort(np.asarray(fit.params["coefficients"])[:, 0])
    levels = np.asarray(fit.params["coefficients"])[order, 0]
    np.testing.assert_allclose(levels, [3.70877, 9.556793], rtol=1e-5)
    moves = np.asarray(fit.params["transition"])[order][:, order]
    np.testing.assert_allclose([moves[0, 0], moves[1, 0]], [0.9820939, 0.0503587], rtol=1e-4)
    assert float(fit.params["scale"]) == pytest.approx(2.107562, rel=1e-6)
