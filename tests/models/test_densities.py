"""The marginal density of each model against one written with SciPy."""

import jax
import numpy as np
from scipy import optimize, special, stats

from mixpyro import em, models
from mixpyro.em.machine.by_numpy.interpret import interpreted

from ..examples import OF_ROWS, every
from .densities import applied, families, regressions


def bernoulli(x, params, kwargs):
    return stats.bernoulli.logpmf(x[:, None], params["probs"]).sum(-1)


def binomial(x, params, kwargs):
    trials = np.reshape(kwargs["total_count"], (-1, 1))
    return stats.binom.logpmf(x[:, None], trials, params["probs"])


def latent_class(x, params, kwargs):
    terms = [np.log(params["probs"])[:, j, x[:, j]] for j in range(x.shape[1])]
    return np.sum(terms, axis=0).T


def poisson(x, params, kwargs):
    terms = stats.poisson.logpmf(x[:, None], params["rate"])
    return terms if x.ndim == 1 else terms.sum(-1)


def gaussian(x, params, kwargs):
    k, d = params["loc"].shape
    covariance = kwargs.get("covariance", "full")
    if covariance in ("full", "tied"):
        matrices = np.broadcast_to(params["covariance_matrix"], (k, d, d))
    elif "volume" in params:
        axes = np.broadcast_to(params.get("orientation", np.eye(d)), (k, d, d))
        shapes = np.exp(np.broadcast_to(params.get("log_shape", np.zeros(d)), (k, d)))
        volumes = np.broadcast_to(params["volume"], k)
        triples = zip(volumes, axes, shapes, strict=True)
        matrices = [v * a @ np.diag(s) @ a.T for v, a, s in triples]
    else:
        scales = params["scale"] if covariance == "diagonal" else params["scale"][:, None]
        matrices = [np.diag(row) for row in np.broadcast_to(scales, (k, d)) ** 2]
    pairs = zip(params["loc"], matrices, strict=True)
    return np.stack([stats.multivariate_normal(m, c).logpdf(x) for m, c in pairs], axis=-1)


def contaminated(x, params, kwargs):
    box = np.full(x.shape[1], kwargs["high"] - kwargs["low"])
    noise = np.full((len(x), 1), -np.log(box).sum())
    return np.hstack([gaussian(x, params, kwargs), noise])


def kmeans(x, params, kwargs):
    scale = kwargs.get("scale", 1.0)
    return stats.norm.logpdf(x[:, None], params["loc"], scale).sum(-1)


def two_coins(x, params, kwargs):
    heads = np.array([params["q"], params["p"]])
    return stats.binom.logpmf(x[:, None], kwargs["num_tosses"], heads)


# Log density of every row under every component, (n, k).
COMPONENTS = {
    "bernoulli_mixture": bernoulli,
    "binomial_mixture": binomial,
    "contaminated_mixture": contaminated,
    "gaussian_mixture": gaussian,
    "kmeans_mixture": kmeans,
    "latent_class": latent_class,
    "latent_class_regression": latent_class,
    "poisson_mixture": poisson,
    "two_coins": two_coins,
    **applied.COMPONENTS,
    **families.COMPONENTS,
    **regressions.COMPONENTS,
}


def weights_of(example, k):
    params, kwargs = example.params, example.kwargs
    if example.model.__name__ in applied.WEIGHTS:
        return applied.WEIGHTS[example.model.__name__](params, kwargs)
    if "pi" in params:
        return np.array([1 - params["pi"], params["pi"]])
    if "contamination" in params:
        return np.array([1 - params["contamination"], params["contamination"]])
    if "inflation_coefficients" in params:
        gate = special.expit(kwargs["covariates"] @ params["inflation_coefficients"])
        return np.column_stack([1 - gate, gate])
    if "gate" in params and "weights" not in params:
        return np.array([1 - params["gate"], params["gate"]])
    if "class_coefficients" in params:
        logits = kwargs["covariates"] @ params["class_coefficients"].T
        return special.softmax(np.column_stack([np.zeros(len(logits)), logits]), axis=1)
    return params.get("weights", np.full(k, 1 / k))


@every(OF_ROWS)
def test_enumerated_density_agrees_with_scipy(example, scored):
    it = scored(example)
    conditional = COMPONENTS[example.model.__name__](it.x, example.params, example.kwargs)
    n, k = conditional.shape
    assert it.columns.shape == (k, n)
    actual = special.logsumexp(it.columns, axis=0)
    expected = special.logsumexp(conditional, axis=1, b=weights_of(example, k))
    np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-4)


def test_a_hurdle_of_one_class_is_two_regressions(x64):
    """Pscl's hurdle: a logistic regression and a truncated Poisson one, here by SciPy."""
    example = models.examples(models.hurdle_regression)[0]
    y = np.asarray(example.simulate(jax.random.key(20), interpreted)["y"], float)
    x = example.kwargs["covariates"]
    fit = em.EM(models.hurdle_regression).run(jax.random.key(0), y.astype(int), covariates=x)

    def gate(b):
        return np.logaddexp(0, x @ b).sum() - (x @ b)[y == 0].sum()

    def counts(b):
        eta = (x @ b)[y > 0]
        return -(y[y > 0] * eta - np.exp(eta) - np.log(-np.expm1(-np.exp(eta)))).sum()

    solved = [optimize.minimize(f, np.zeros(2), tol=1e-10).x for f in (gate, counts)]
    np.testing.assert_allclose(fit.params["gate_coefficients"], solved[0], atol=2e-4)
    np.testing.assert_allclose(fit.params["coefficients"][0], solved[1], atol=2e-4)
