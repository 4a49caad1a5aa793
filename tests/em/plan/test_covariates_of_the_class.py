"""Classes whose probabilities depend on covariates, against SciPy."""

import numpy as np
import pytest
from scipy import special, stats

from mixpyro import em, models
from mixpyro.em.machine.by_numpy.interpret import interpreted

from ..regressions import CLOSED, KEY, ROWS, check_maximum, free, mixture, rungs

pytestmark = pytest.mark.usefixtures("x64")


def class_log_weights(theta, x):
    return special.log_softmax(np.column_stack([np.zeros(len(x)), x @ theta]), axis=1)


@pytest.mark.slow
def test_mixture_of_experts():
    (example,) = models.examples(models.mixture_of_experts)
    y, x = np.asarray(example.simulate(KEY, interpreted)["y"]), example.kwargs["covariates"]
    fit = em.EM(models.mixture_of_experts).run(KEY, y, **example.kwargs)
    assert rungs(fit) == {"class_coefficients": ROWS, "coefficients": CLOSED, "scale": CLOSED}

    def log_likelihood(theta):
        beta, scale = free(theta[2:])
        conditional = stats.norm.logpdf(y[:, None], x @ beta.T, scale)
        return mixture(class_log_weights(theta[:2], x), conditional).sum()

    def flat(p):
        parts = [p["class_coefficients"], p["coefficients"], np.log(p["scale"])]
        return np.concatenate([np.ravel(v) for v in parts])

    check_maximum(fit, log_likelihood, flat(fit.params), [flat(example.params)])


@pytest.mark.slow
def test_latent_classes_with_covariates():
    (example,) = models.examples(models.latent_class_regression)
    y, x = np.asarray(example.simulate(KEY, interpreted)["y"]), example.kwargs["covariates"]
    fit = em.EM(models.latent_class_regression).run(KEY, y, **example.kwargs)
    assert rungs(fit) == {"class_coefficients": ROWS, "probs": CLOSED}

    def log_likelihood(theta):
        shape = (2, 3, 2)
        logits = np.concatenate([theta[2:].reshape(shape), np.zeros((2, 3, 1))], -1)
        log_probs = special.log_softmax(logits, -1)
        conditional = sum(log_probs[:, j, y[:, j]] for j in range(3)).T
        return mixture(class_log_weights(theta[:2], x), conditional).sum()

    def flat(p):
        log_probs = np.log(np.asarray(p["probs"]))
        odds = log_probs[..., :2] - log_probs[..., 2:]
        return np.concatenate([np.ravel(p["class_coefficients"]), odds.ravel()])

    check_maximum(fit, log_likelihood, flat(fit.params), [flat(example.params)])
