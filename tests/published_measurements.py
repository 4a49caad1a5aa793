"""Measurements and times: what was published of their examples, or SciPy's likelihoods."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from scipy.stats import beta, expon, lognorm, multivariate_normal, norm, t, weibull_min


def beta_mixture(found):
    """One kind by SciPy's own fit; two from many starts of SciPy's optimizer."""
    fits, flow = found["fits"], found["flow"]
    a, b, *_ = beta.fit(flow, floc=0, fscale=1)
    assert float(fits[1].params["concentration1"][0]) == pytest.approx(a, rel=1e-4)
    assert fits[1].log_likelihood == pytest.approx(beta.logpdf(flow, a, b).sum(), abs=1e-5)

    def minus(u):
        share, (a, b) = expit(u[0]), np.exp(u[1:].reshape(2, 2))
        return -np.sum(np.log(beta.pdf(flow[:, None], a, b) @ [share, 1 - share]))

    solved = minimize(minus, [1.7, 3, 4, 3.5, 3], tol=1e-8).fun
    assert fits[2].log_likelihood == pytest.approx(-solved, abs=1e-4)


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


def cure_model(found):
    """By SciPy, with cure and without."""
    months, event = found["months"], found["event"]
    for kind in ("allogeneic", "autologous"):
        rows = found["design"][kind].to_numpy(bool)

        def minus(u, x=months[rows], ends=event[rows]):
            cured, law = expit(u[2]), {"c": np.exp(u[0]), "scale": np.exp(u[1])}
            alive = cured + (1 - cured) * weibull_min.sf(x, **law)
            failed = (1 - cured) * weibull_min.pdf(x, **law)
            return -np.sum(np.log(np.where(ends, failed, alive)))

        def without(u, minus=minus):
            return minus([*u, -40.0])

        for fits, law, start in (("cures", minus, [0, 2, 0]), ("lifes", without, [0, 3])):
            solved = minimize(law, start, tol=1e-8).fun
            assert found[fits][kind].log_likelihood == pytest.approx(-solved, abs=1e-6)


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


def student_t_mixture(found):
    """By SciPy's own fit."""
    x, fit = found["x"], found["fit"]
    law = t.fit(x)
    assert fit.log_likelihood == pytest.approx(t.logpdf(x, *law).sum(), abs=1e-5)
    np.testing.assert_allclose([fit.params[n][0] for n in ("df", "loc", "scale")], law, rtol=1e-2)


PUBLISHED = [
    beta_mixture,
    contaminated_mixture,
    cure_model,
    exponential_mixture,
    factor_analysers,
    lognormal_mixture,
    mixture_of_experts,
    student_t_mixture,
]
