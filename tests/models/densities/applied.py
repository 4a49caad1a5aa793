"""Log densities (n, k) of models of single fields by SciPy, or from their definition."""

import numpy as np
from scipy import special, stats


def detection(params, kwargs):
    """(n, t) how probably each visit sees what is there."""
    return special.expit(kwargs["detection_covariates"] @ params["detection_coefficients"])


def occupancy(y, params, kwargs):
    there = stats.bernoulli.logpmf(y, detection(params, kwargs)).sum(1)
    return np.column_stack([np.where(y.any(1), -np.inf, 0.0), there])


def n_mixture(y, params, kwargs):
    sizes = np.arange(kwargs["max_count"] + 1)[:, None]
    return stats.binom.logpmf(y[:, None], sizes, detection(params, kwargs)[:, None]).sum(-1)


def dawid_skene(y, params, kwargs):
    """By a loop over the labels."""
    found = np.zeros((kwargs["num_groups"], len(params["weights"])))
    for item, person, label in zip(kwargs["group"], kwargs["annotator"], y, strict=True):
        found[item] += np.log(params["confusion"][:, person, label])
    return found


def markov_chain_mixture(x, params, kwargs):
    """Step by step."""
    length = kwargs.get("length", np.full(len(x), x.shape[1]))
    found = np.log(params["initial"])[:, x[:, 0]].T
    for t in range(1, x.shape[1]):
        moved = np.log(params["transition"])[:, x[:, t - 1], x[:, t]].T
        found += np.where((t < length)[:, None], moved, 0)
    return found


def changepoint(x, params, kwargs):
    before, after = stats.poisson.logpmf(x[:, None], params["rate"]).T
    return np.array([[before[: z + 1].sum() + after[z + 1 :].sum() for z in range(len(x) - 1)]])


def ordinal(x, params, kwargs):
    """From the cumulative probabilities of the categories, (k, d, C + 1) with both ends."""
    first = np.zeros((len(params["gaps"]), 1))
    cutpoints = np.cumsum(np.hstack([first, params["gaps"]]), axis=1)
    below = special.expit(cutpoints - params["loc"][..., None])
    ends = np.zeros((*params["loc"].shape, 1))
    cumulative = np.concatenate([ends, below, ends + 1], axis=-1)
    probs = np.log(np.diff(cumulative, axis=-1))
    return sum(probs[:, j, x[:, j]] for j in range(x.shape[1])).T


def factor_analysers(x, params, kwargs):
    """One factor, whose loadings are the lead and those below it."""
    factors = np.hstack([params["lead"], params["loadings"]])
    covariances = [
        np.outer(a, a) + np.diag(v) for a, v in zip(factors, params["noise"], strict=True)
    ]
    pairs = zip(params["loc"], covariances, strict=True)
    return np.stack([stats.multivariate_normal(m, c).logpdf(x) for m, c in pairs], -1)


def mixed_rasch(x, params, kwargs):
    """The share of an answer among all of its score, by going through all answers."""
    d = x.shape[1]
    answers = np.array(np.meshgrid(*[[0, 1]] * d, indexing="ij")).reshape(d, -1)
    found = []
    for difficulty, scores in zip(params["difficulty"], params["score_probs"], strict=True):
        likely = np.exp(-difficulty @ answers)
        totals = np.bincount(answers.sum(0), likely)
        s = x.sum(1)
        found.append(np.log(scores[s - 1]) - x @ difficulty - np.log(totals[s]))
    return np.stack(found, -1)


def capture_recapture(x, params, kwargs):
    law = stats.binom(kwargs["num_occasions"], params["probs"])
    return law.logpmf(x[:, None]) - law.logsf(0)


def lives(x, params, kwargs):
    """(n, k), the logarithm of a density, or at the limit of a probability."""
    law = stats.weibull_min(params["concentration"], scale=params["scale"])
    rows = np.reshape(x, (-1, 1))
    return np.where(rows < kwargs["limit"], law.logpdf(rows), law.logsf(rows))


def cure_model(y, params, kwargs):
    cured = np.where(y < kwargs["limit"], -np.inf, 0.0)
    return np.column_stack([lives(y, params, kwargs)[:, 0], cured])


def latent_profile(x, params, kwargs):
    rows = {name: column[:, None] for name, column in x.items()}
    age = stats.norm.logpdf(rows["age"], params["age_loc"], params["age_scale"])
    if "health" in x:
        item = {"loc": params["health_loc"][:, None], "gaps": params["health_gaps"][None]}
        return age + ordinal(rows["health"], item, kwargs)
    log_scale, log_loc = params["income_scale"], params["income_loc"]
    return (
        age
        + stats.lognorm.logpdf(rows["income"], log_scale, scale=np.exp(log_loc))
        + stats.poisson.logpmf(rows["visits"], params["visits_rate"])
        + stats.bernoulli.logpmf(rows["smoker"], params["smoker_probs"])
        + np.log(params["town_probs"])[:, x["town"]].T
    )


COMPONENTS = {
    "capture_recapture": capture_recapture,
    "changepoint": changepoint,
    "cure_model": cure_model,
    "dawid_skene": dawid_skene,
    "factor_analysers": factor_analysers,
    "latent_profile": latent_profile,
    "markov_chain_mixture": markov_chain_mixture,
    "mixed_rasch": mixed_rasch,
    "n_mixture": n_mixture,
    "occupancy": occupancy,
    "ordinal_latent_class": ordinal,
    "survival_mixture": lives,
}


def weights_of_sizes(params, kwargs):
    """(n, C + 1), of a Poisson number that is C at most."""
    mean = np.exp(kwargs["covariates"] @ params["coefficients"])
    probs = stats.poisson.pmf(np.arange(kwargs["max_count"] + 1), mean[:, None])
    return probs / probs.sum(1, keepdims=True)


def weights_of_cure(params, kwargs):
    cured = special.expit(kwargs["covariates"] @ params["cure_coefficients"])
    return np.column_stack([1 - cured, cured])


def weights_of_presence(params, kwargs):
    there = special.expit(kwargs["covariates"] @ params["coefficients"])
    return np.column_stack([1 - there, there])


# Of models whose classes have other weights than the site ``weights``: (n, k) or (k,).
WEIGHTS = {
    "cure_model": weights_of_cure,
    "n_mixture": weights_of_sizes,
    "occupancy": weights_of_presence,
}
