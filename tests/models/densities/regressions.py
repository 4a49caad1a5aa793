"""Log densities (n, k) of models with covariates by SciPy."""

import numpy as np
from scipy import special, stats


def linear(params, kwargs):
    """(n, k) the linear predictors."""
    return kwargs["covariates"] @ params["coefficients"].T


def linear_regression(y, params, kwargs):
    return stats.norm.logpdf(y[:, None], linear(params, kwargs), params["scale"])


def poisson_regression(y, params, kwargs):
    return stats.poisson.logpmf(y[:, None], np.exp(linear(params, kwargs)))


def logistic_regression(y, params, kwargs):
    probs = special.expit(linear(params, kwargs))
    return stats.binom.logpmf(y[:, None], kwargs["total_count"], probs)


def negative_binomial(y, mean, r):
    return stats.nbinom.logpmf(y, r, r / (r + mean))


def negative_binomial_regression(y, params, kwargs):
    return negative_binomial(y[:, None], np.exp(linear(params, kwargs)), params["concentration"])


def gamma_regression(y, params, kwargs):
    shape, mean = params["concentration"], np.exp(linear(params, kwargs))
    return stats.gamma.logpdf(y[:, None], shape, scale=mean / shape)


def zero_inflated(y, params, kwargs):
    mean = np.exp(linear(params, kwargs))
    if "concentration" in params:
        counts = negative_binomial(y, mean, params["concentration"])
    else:
        counts = stats.poisson.logpmf(y, mean)
    return np.column_stack([counts, np.where(y == 0, 0.0, -np.inf)])


def hurdle_regression(y, params, kwargs):
    """By the definition of a conditional probability."""
    gate = special.expit(kwargs["covariates"] @ params["gate_coefficients"])[:, None]
    mean, rows = np.exp(linear(params, kwargs)), y[:, None]
    counted = stats.poisson.logpmf(rows, mean) - stats.poisson.logsf(0, mean)
    return np.where(rows == 0, np.log(gate), np.log1p(-gate) + counted)


def robust_regression(y, params, kwargs):
    scales = np.array([params["scale"], params["scale"] * (1 + params["excess"])])
    return stats.norm.logpdf(y[:, None], linear(params, kwargs)[:, None], scales)


def growth(y, params, kwargs):
    people = np.eye(kwargs["num_groups"])[kwargs["group"]]
    return people.T @ linear_regression(y, params, kwargs)


COMPONENTS = {
    "gamma_regression_mixture": gamma_regression,
    "growth_mixture": growth,
    "hurdle_regression": hurdle_regression,
    "linear_regression_mixture": linear_regression,
    "logistic_regression_mixture": logistic_regression,
    "mixture_of_experts": linear_regression,
    "negative_binomial_regression_mixture": negative_binomial_regression,
    "poisson_regression_mixture": poisson_regression,
    "robust_regression": robust_regression,
    "zero_inflated_regression": zero_inflated,
}
