"""The remaining examples: what was published of them, or SciPy's likelihoods."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from scipy.stats import (
    dirichlet_multinomial,
    expon,
    lognorm,
    multinomial,
    multivariate_normal,
    nbinom,
    norm,
    poisson,
    t,
)


def contaminated_mixture(found):
    """Rousseeuw and Leroy (1987): 1964 to 1969 were counted otherwise; the likelihood by SciPy."""
    x, fit = found["x"], found["fit"]
    assert set(range(1964, 1970)) <= set(found["table"]["year"][found["noise"] > 0.5])
    volume = np.prod(x.max(0) - x.min(0))

    def minus(u):
        root = np.array([[np.exp(u[3]), 0], [u[4], np.exp(u[5])]])
        dense = multivariate_normal.pdf(x, u[1:3], root @ root.T)
        return -np.sum(np.log(expit(u[0]) * dense + (1 - expit(u[0])) / volume))

    root = np.linalg.cholesky(np.asarray(fit.params["covariance_matrix"], float)[0])
    logs = np.log(root[[0, 1], [0, 1]]) + 0.1
    start = [0.5, *np.asarray(fit.params["loc"])[0], logs[0], root[1, 0], logs[1]]
    solved = minimize(minus, start, method="Nelder-Mead", options={"maxiter": 9000, "xatol": 1e-8})
    assert fit.log_likelihood == pytest.approx(-solved.fun, abs=1e-4)


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


def exponential_mixture(found):
    """One kind by its mean; two by SciPy."""
    fits, days = found["fits"], found["days"]
    assert fits[1].log_likelihood == pytest.approx(expon.logpdf(days, 0, days.mean()).sum())

    def minus(u):
        rate = np.exp(u[1:])
        return -np.sum(np.log(rate * np.exp(-days[:, None] * rate) @ [expit(u[0]), expit(-u[0])]))

    solved = minimize(minus, [-1, -2, -4], tol=1e-10)
    assert fits[2].log_likelihood == pytest.approx(-solved.fun, abs=1e-5)


def factor_analysers(found):
    """mclust's documentation: a BIC of 574.0178; SciPy's density, and SciPy climbs no higher."""
    x, fit = found["flowers"].to_numpy(), found["fit"]
    full = found["models"].gaussian_mixture
    two = found["em"].EM(full).run(found["key"], x, num_components=2, covariance="VVV")
    assert round(two.bic, 4) == 574.0178
    names = ("weights", "loc", "lead", "loadings", "noise")
    weights, loc, lead, below, noise = (np.asarray(fit.params[n], float) for n in names)
    loads = np.concatenate([lead, below], 1).reshape(3, 4)
    first = np.concatenate([np.log(weights), *loc, *loads, *np.log(noise)])

    def minus(u):
        log_weights, rest = u[:3] - logsumexp(u[:3]), u[3:].reshape(3, 3, 4)
        terms = [
            w + multivariate_normal.logpdf(x, m, np.outer(b, b) + np.diag(np.exp(s)))
            for w, m, b, s in zip(log_weights, *rest, strict=True)
        ]
        return -logsumexp(terms, 0).sum()

    assert fit.log_likelihood == pytest.approx(-minus(first), abs=1e-6)
    assert -minimize(minus, first, options={"maxiter": 30}).fun < fit.log_likelihood + 1e-3


def latent_profile(found):
    """The density by SciPy, column by column."""
    table, two = found["table"], found["two"]
    p = {name: np.asarray(value, float) for name, value in two.params.items()}
    cuts = np.r_[0, np.cumsum(p["colour_gaps"])] - p["colour_loc"][:, None]
    below = np.c_[np.zeros(2), expit(cuts), np.ones(2)]
    spines = [sorted(set(table["spines"])).index(s) for s in table["spines"]]
    terms = [
        norm.logpdf(table["width"].to_numpy()[:, None], p["width_loc"], p["width_scale"]),
        lognorm.logpdf(
            table["weight"].to_numpy()[:, None], p["weight_scale"], 0, np.exp(p["weight_loc"])
        ),
        poisson.logpmf(table["satellites"].to_numpy()[:, None], p["satellites_rate"]),
        np.log(np.diff(below, axis=1).T[table["colour"].cat.codes]),
        np.log(p["spines_probs"].T[spines]),
    ]
    density = logsumexp(sum(terms) + np.log(p["weights"]), 1).sum()
    assert two.log_likelihood == pytest.approx(density, abs=1e-6)
    assert found["sweep"].fits[0].params["satellites_rate"] == pytest.approx(
        table["satellites"].mean(), rel=1e-5
    )


def lognormal_mixture(found):
    """One kind by moments of the logarithm; two by SciPy."""
    x, fits = found["x"], found["sweep"].fits
    log_x = np.log(x)
    one = lognorm.logpdf(x, log_x.std(), 0, np.exp(log_x.mean())).sum()
    assert fits[0].log_likelihood == pytest.approx(one, abs=1e-5)

    def minus(u):
        dense = lognorm.pdf(x[:, None], np.exp(u[3:]), 0, np.exp(u[1:3]))
        return -np.sum(np.log(dense @ [expit(u[0]), expit(-u[0])]))

    solved = minimize(minus, [-0.7, 0.4, 1.6, -2, -2], tol=1e-8)
    assert found["two"].log_likelihood == pytest.approx(-solved.fun, abs=1e-4)


def mixture_of_experts(found):
    """Benaglia et al. (2009) without a gate: -66.93977; with one, SciPy."""
    fits, lines, y = found["fits"], found["lines"], found["co2"]
    assert fits["constant"].log_likelihood == pytest.approx(-66.93977, abs=5e-6)

    def minus(u):
        gate = expit(lines @ u[:2])
        dense = norm.pdf(y[:, None], lines @ u[2:6].reshape(2, 2).T, np.exp(u[6:]))
        return -np.sum(np.log(gate * dense[:, 0] + (1 - gate) * dense[:, 1]))

    start = [-0.1, -0.1, 1.4, 0.7, 8.7, -0.02, 0, 0.7]
    assert fits["GNP"].log_likelihood == pytest.approx(-minimize(minus, start).fun, abs=1e-4)


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


def ordinal_latent_class(found):
    """One class by SciPy, grading by grading; three by the density at their parameters."""
    grades, fits = found["grades"].to_numpy() - 1, found["fits"]
    shares = [np.bincount(column, minlength=4) for column in grades.T]
    one = sum(np.sum(n[n > 0] * np.log(n[n > 0] / n.sum())) for n in shares)
    assert fits[1].log_likelihood == pytest.approx(one, abs=1e-2)  # empty categories: a limit
    p = {name: np.asarray(value, float) for name, value in found["fit"].params.items()}
    cuts = np.c_[np.zeros((7, 1)), np.cumsum(p["gaps"], 1)]
    at_most = expit(cuts - p["loc"][..., None])
    at_most = np.concatenate([np.zeros((3, 7, 1)), at_most, np.ones((3, 7, 1))], -1)
    log_probs = np.log(np.diff(at_most, axis=-1) + 1e-300)
    rows = log_probs[:, np.arange(7), grades].sum(-1).T
    density = logsumexp(rows + np.log(p["weights"]), 1).sum()
    assert found["fit"].log_likelihood == pytest.approx(density, abs=1e-5)


def student_t_mixture(found):
    """By SciPy's own fit."""
    x, fit = found["x"], found["fit"]
    law = t.fit(x)
    assert fit.log_likelihood == pytest.approx(t.logpdf(x, *law).sum(), abs=1e-5)
    np.testing.assert_allclose([fit.params[n][0] for n in ("df", "loc", "scale")], law, rtol=1e-2)


PUBLISHED = [
    contaminated_mixture,
    dirichlet_multinomial_mixture,
    exponential_mixture,
    factor_analysers,
    latent_profile,
    lognormal_mixture,
    mixture_of_experts,
    multinomial_mixture,
    negative_binomial_regression_mixture,
    ordinal_latent_class,
    student_t_mixture,
]
