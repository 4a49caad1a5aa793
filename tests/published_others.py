"""What was published of more examples, or another way to their numbers."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import beta, binom, nbinom, poisson, weibull_min


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


def latent_class_regression(found):
    """By SciPy, from the sixteen patterns of each kind of mothers."""
    table, fit = found["table"], found["fit"]
    y, smokes = table.filter(like="age").to_numpy(), table["mother_smokes"].to_numpy()

    def minus(u):
        share, p = expit(u[0] + u[1] * smokes), expit(u[2:]).reshape(2, 4)
        density = np.prod(np.where(y[:, None], p, 1 - p), -1)
        mixed = share * density[:, 0] + (1 - share) * density[:, 1]
        return -table["children"] @ np.log(mixed)

    solved = minimize(minus, [-2, 0, *[0.5] * 4, *[-3] * 4], tol=1e-8)
    assert fit.log_likelihood == pytest.approx(-solved.fun, abs=1e-6)
    np.testing.assert_allclose(fit.params["class_coefficients"][0], solved.x[:2], atol=1e-3)


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
    beta_mixture,
    cure_model,
    geometric_mixture,
    hurdle_regression,
    latent_class_regression,
    n_mixture,
    zero_inflated_negative_binomial,
    zero_inflated_regression,
]
