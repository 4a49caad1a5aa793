"""Counts: what was published of their examples, or SciPy's likelihoods."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from scipy.stats import binom, dirichlet_multinomial, multinomial, nbinom, poisson


def dirichlet_multinomial_mixture(found):
    """One law of all neighbourhoods by SciPy; the multinomial one has the shares of all answers."""
    counts = found["counts"]

    def minus(u):
        return -dirichlet_multinomial.logpmf(counts, np.exp(u), 5).sum()

    solved = minimize(minus, [0.0, 0, 0], tol=1e-10)
    own = found["fits"]["dirichlet_multinomial_mixture"]
    assert own.log_likelihood == pytest.approx(-solved.fun, abs=1e-6)
    shares = counts.sum(0) / counts.sum()
    plain = found["fits"]["multinomial_mixture"].log_likelihood
    assert plain == pytest.approx(multinomial.logpmf(counts, 5, shares).sum(), abs=1e-6)


def geometric_mixture(found):
    """One kind by its mean; two by SciPy."""
    fits, days = found["fits"], found["days"]
    assert float(fits[1].params["probs"][0]) == pytest.approx(1 / days.mean(), rel=1e-6)

    def minus(u):
        share, p = expit(u[0]), expit(u[1:])
        return -np.sum(np.log(p * (1 - p) ** (days[:, None] - 1) @ [share, 1 - share]))

    solved = minimize(minus, [2, -4, -1], tol=1e-10).fun
    assert fits[2].log_likelihood == pytest.approx(-solved, abs=1e-6)


def hurdle_regression(found):
    """Zeileis and Kleiber, tests of countreg: -355.646193700518, and by SciPy's own two parts."""
    one, y, design = found["fits"][1], found["satellites"], found["design"].to_numpy()
    assert one.log_likelihood == pytest.approx(-355.646193700518, abs=1e-6)
    there = y > 0
    gate = minimize(lambda b: np.sum(np.logaddexp(0, design @ b) - ~there * (design @ b)), [0] * 5)
    found_gate = one.params["gate_coefficients"]
    np.testing.assert_allclose(found_gate, gate.x, atol=1e-4)


def multinomial_mixture(found):
    """By an EM of a few lines, from twenty starts."""
    counts, rng, ends = found["counts"].to_numpy(), np.random.default_rng(0), []
    totals = counts.sum(1)
    for _ in range(20):
        weights, probs = np.full(3, 1 / 3), rng.dirichlet(np.ones(4), 3)
        for _ in range(500):
            joint = counts @ np.log(probs + 1e-300).T + np.log(weights)
            share = np.exp(joint - logsumexp(joint, 1, keepdims=True))
            weights, probs = share.mean(0), share.T @ counts
            probs /= probs.sum(1, keepdims=True)
        constant = multinomial.logpmf(counts, totals, np.full(4, 0.25)) + totals * np.log(4)
        ends.append((logsumexp(joint, 1) + constant).sum())
    assert found["best"].log_likelihood == pytest.approx(max(ends), abs=1e-5)


def n_mixture(found):
    """By SciPy, with up to a hundred butterflies a site."""
    counts, sites, fit = found["counts"], found["sites"].to_numpy(), found["fit"]
    day, sizes = found["days"].to_numpy() - 3, np.arange(101)

    def minus(u):
        there = poisson.pmf(sizes, np.exp(u[:5])[day][:, None])
        seen = binom.pmf(counts[..., None], sizes, expit(u[5])).prod(1)
        return -sites @ np.log(np.sum(there * seen, 1))

    solved = minimize(minus, [-1.0, -1, 0, 0, 0, 0], tol=1e-8)
    assert fit.log_likelihood == pytest.approx(-solved.fun, abs=1e-5)
    np.testing.assert_allclose(fit.params["coefficients"], solved.x[:5], atol=1e-3)
    assert found["found"] == pytest.approx(expit(solved.x[5]), abs=1e-3)


def negative_binomial_regression_mixture(found):
    """By SciPy."""
    y, lines = found["satellites"], found["design"]

    def minus(u):
        mean, size = np.exp(lines @ u[:2]), np.exp(u[2])
        return -nbinom.logpmf(y, size, size / (size + mean)).sum()

    def of_two(u):
        laws = poisson.pmf(y[:, None], np.exp(lines @ u[1:].reshape(2, 2)))
        return -np.sum(np.log(laws @ [expit(u[0]), expit(-u[0])] + 1e-300))

    one = minimize(minus, [1, 0.1, 0], tol=1e-8)
    assert found["one"].log_likelihood == pytest.approx(-one.fun, abs=1e-5)
    np.testing.assert_allclose(found["one"].params["coefficients"][0], one.x[:2], atol=1e-4)
    starts = np.random.default_rng(0).normal([0, 1, 1, 0.2, 0.2], [1, 1, 1, 0.1, 0.1], (20, 5))
    two = min(minimize(of_two, start).fun for start in starts)
    assert found["two"].log_likelihood == pytest.approx(-two, abs=1e-3)


def zero_inflated_negative_binomial(found):
    """By SciPy."""
    roots, fit = found["roots"], found["fit"]

    def minus(u):
        gate, mean, size = expit(u[0]), np.exp(u[1]), np.exp(u[2])
        counted = nbinom.pmf(roots, size, size / (size + mean))
        return -np.sum(np.log(gate * (roots == 0) + (1 - gate) * counted))

    solved = minimize(minus, [0, 1.5, 1], tol=1e-8)
    assert fit.log_likelihood == pytest.approx(-solved.fun, abs=1e-6)
    assert float(fit.params["gate"]) == pytest.approx(expit(solved.x[0]), rel=1e-3)


def zero_inflated_regression(found):
    """Ridout, Demetrio and Hinde (1998), table 2: 1244.457 of the Poisson ones."""
    fits, counts = found["fits"], found["shoots"].groupby(found["treatment"])
    assert round(-2 * fits["Poisson"].log_likelihood, 3) == 1244.457
    y, cell = found["shoots"]["roots"].to_numpy(), counts.ngroup().to_numpy()
    long = found["shoots"]["hours"].to_numpy() == 16

    def minus(u):
        size, gate, mean = np.exp(u[0]), expit(u[1:3])[1 * long], np.exp(u[3:])[cell]
        counted = nbinom.pmf(y, size, size / (size + mean))
        return -np.sum(np.log(gate * (y == 0) + (1 - gate) * counted))

    solved = minimize(minus, [2.5, -4, 0, *[1.8] * 8], tol=1e-8).fun
    assert fits["negative binomial"].log_likelihood == pytest.approx(-solved, abs=1e-5)


PUBLISHED = [
    dirichlet_multinomial_mixture,
    geometric_mixture,
    hurdle_regression,
    multinomial_mixture,
    n_mixture,
    negative_binomial_regression_mixture,
    zero_inflated_negative_binomial,
    zero_inflated_regression,
]
