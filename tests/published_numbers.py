"""One number of each example that was published, as `docs/models.md` shows it beside ours."""

import numpy as np

# {example: what it finds, of the names of the script}.
OURS = {
    "bernoulli_mixture": lambda f: f["fits"][2].log_likelihood,
    "binomial_mixture": lambda f: f["fits"][1].aic,
    "capture_recapture": lambda f: f["numbers"][1],
    "changepoint": lambda f: f["fit"].params["rate"][0],
    "dawid_skene": lambda f: f["fit"].params["confusion"][0, 0, 0],
    "gamma_mixture": lambda f: f["shape"] / f["rate"],
    "gamma_regression_mixture": lambda f: f["slope"],
    "growth_mixture": lambda f: f["fits"][1].params["coefficients"][0, 1],
    "hidden_markov": lambda f: f["fits"][3].log_likelihood,
    "hurdle_poisson": lambda f: f["fit"].params["rate"][0],
    "hurdle_regression": lambda f: f["fits"][1].log_likelihood,
    "kmeans_mixture": lambda f: f["fits"][2].bic,
    "latent_class": lambda f: f["three"].bic,
    "linear_regression_mixture": lambda f: f["fit"].log_likelihood,
    "logistic_regression_mixture": lambda f: f["fits"][1].params["coefficients"][0, 1],
    "negative_binomial_mixture": lambda f: f["fit"].params["concentration"][0],
    "occupancy": lambda f: f["fit"].aic,
    "poisson_mixture": lambda f: np.min(f["fit"].params["rate"]),
    "poisson_regression_mixture": lambda f: f["one"].params["coefficients"][0, 0],
    "robust_regression": lambda f: f["least_squares"][1],
    "survival_mixture": lambda f: f["fits"][1].log_likelihood,
    "switching_regression": lambda f: f["fit"].log_likelihood,
    "two_coins": lambda f: f["fit"].params["p"],
    "weibull_mixture": lambda f: f["shape"],
    "zero_inflated_poisson": lambda f: f["rate"],
    "zero_inflated_regression": lambda f: -2 * f["fits"]["Poisson"].log_likelihood,
}
