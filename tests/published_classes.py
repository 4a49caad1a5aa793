"""Latent classes and profiles: SciPy's likelihoods of their examples."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from scipy.stats import lognorm, norm, poisson


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


PUBLISHED = [
    latent_class_regression,
    latent_profile,
    ordinal_latent_class,
]
