"""Log densities (n, k) of simple families by SciPy; of rows (n,) and of products (n, d)."""

import numpy as np
from scipy import stats


def product(log_density):
    """Of all columns of a row, where there are several."""

    def of_rows(x, params, kwargs):
        terms = log_density(x[:, None], params)
        return terms if x.ndim == 1 else terms.sum(-1)

    return of_rows


def negative_binomial(x, params):
    mean, r = params["mean"], params["concentration"]
    return stats.nbinom.logpmf(x, r, r / (r + mean))


def student_t(x, params, kwargs):
    if x.ndim == 1:
        return stats.t.logpdf(x[:, None], params["df"], params["loc"], params["scale"])
    triples = zip(params["loc"], params["scale_tril"], params["df"], strict=True)
    return np.stack([stats.multivariate_t(m, a @ a.T, df).logpdf(x) for m, a, df in triples], -1)


def multinomial(x, params, kwargs):
    totals = x.sum(-1)[:, None]
    return stats.multinomial.logpmf(x[:, None], totals, params["probs"])


def dirichlet_multinomial(x, params, kwargs):
    columns = [stats.dirichlet_multinomial(a, x.sum(-1)) for a in params["concentration"]]
    return np.stack([column.logpmf(x) for column in columns], -1)


def poisson_hurdle(x, params):
    """By the definition of a conditional probability."""
    counted = stats.poisson.logpmf(x, params["rate"]) - stats.poisson.logsf(0, params["rate"])
    return np.where(x == 0, np.log(params["gate"]), np.log1p(-params["gate"]) + counted)


def inflated(log_density):
    """Counts (class 0), and structural zeros (class 1)."""

    def of_rows(x, params, kwargs):
        return np.column_stack([log_density(x, params), np.where(x == 0, 0.0, -np.inf)])

    return of_rows


COMPONENTS = {
    "beta_mixture": product(
        lambda x, p: stats.beta.logpdf(x, p["concentration1"], p["concentration0"])
    ),
    "dirichlet_multinomial_mixture": dirichlet_multinomial,
    "exponential_mixture": product(lambda x, p: stats.expon.logpdf(x, scale=1 / p["rate"])),
    "gamma_mixture": product(
        lambda x, p: stats.gamma.logpdf(x, p["concentration"], scale=1 / p["rate"])
    ),
    "geometric_mixture": product(lambda x, p: stats.geom.logpmf(x + 1, p["probs"])),
    "hurdle_poisson": product(poisson_hurdle),
    "lognormal_mixture": product(
        lambda x, p: stats.lognorm.logpdf(x, p["scale"], scale=np.exp(p["loc"]))
    ),
    "multinomial_mixture": multinomial,
    "negative_binomial_mixture": product(negative_binomial),
    "student_t_mixture": student_t,
    "von_mises_mixture": product(
        lambda x, p: stats.vonmises.logpdf(x, p["concentration"], p["loc"])
    ),
    "weibull_mixture": product(
        lambda x, p: stats.weibull_min.logpdf(x, p["concentration"], scale=p["scale"])
    ),
    "zero_inflated_negative_binomial": inflated(negative_binomial),
    "zero_inflated_poisson": inflated(lambda x, p: stats.poisson.logpmf(x, p["rate"])),
}
