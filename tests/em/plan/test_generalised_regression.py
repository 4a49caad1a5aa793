"""Generalised linear models: Newton's method, component by component, against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import special, stats

from mixpyro import em

from ..regressions import (
    CLOSED,
    KEY,
    OFFSET,
    ROWS,
    STATISTICS,
    N,
    X,
    Z,
    check_maximum,
    mixture,
    pack,
    rungs,
)

pytestmark = pytest.mark.usefixtures("x64")


# ---- generalised linear models: Newton's method, component by component ----------------------


def cloglog_inverse(eta):
    return -np.expm1(-np.exp(eta))


# name: the response in NumPyro and its log density in SciPy, both of (linear predictor, extra
# parameter), how it is drawn, and true extras. Links are whatever NumPyro can write.
TRIALS = 10
GLMS = {
    "poisson": (
        lambda eta, _: dist.Poisson(jnp.exp(eta)),
        lambda y, eta, _: stats.poisson.logpmf(y, np.exp(eta)),
        lambda rng, eta, _: rng.poisson(np.exp(eta)),
        None,
    ),
    "logit": (
        lambda eta, _: dist.Binomial(TRIALS, logits=eta),
        lambda y, eta, _: stats.binom.logpmf(y, TRIALS, special.expit(eta)),
        lambda rng, eta, _: rng.binomial(TRIALS, special.expit(eta)),
        None,
    ),
    "probit": (
        lambda eta, _: dist.Binomial(TRIALS, probs=jax.scipy.special.ndtr(eta)),
        lambda y, eta, _: stats.binom.logpmf(y, TRIALS, special.ndtr(eta)),
        lambda rng, eta, _: rng.binomial(TRIALS, special.ndtr(eta)),
        None,
    ),
    "cloglog": (
        lambda eta, _: dist.Binomial(TRIALS, probs=-jnp.expm1(-jnp.exp(eta))),
        lambda y, eta, _: stats.binom.logpmf(y, TRIALS, cloglog_inverse(eta)),
        lambda rng, eta, _: rng.binomial(TRIALS, cloglog_inverse(eta)),
        None,
    ),
    "negative binomial": (
        lambda eta, size: dist.NegativeBinomial2(jnp.exp(eta), size),
        lambda y, eta, size: stats.nbinom.logpmf(y, size, size / (size + np.exp(eta))),
        lambda rng, eta, size: rng.negative_binomial(size, size / (size + np.exp(eta))),
        [4.0, 9.0],
    ),
    "gamma": (
        lambda eta, shape: dist.Gamma(shape, shape / jnp.exp(eta)),
        lambda y, eta, shape: stats.gamma.logpdf(y, shape, scale=np.exp(eta) / shape),
        lambda rng, eta, shape: rng.gamma(shape, np.exp(eta) / shape),
        [3.0, 6.0],
    ),
}
SLOPES = np.array([[1.0, 0.7], [1.0, -0.9]])


def glm(x, y, offset, *, response, extra):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        beta = numpyro.sample("beta", dist.Normal(0, 5).expand([x.shape[1]]).to_event(1))
        shape = numpyro.sample("shape", dist.Gamma(2.0, 0.5)) if extra else jnp.ones(2)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        eta = offset + (x * beta[z]).sum(-1)
        numpyro.sample("y", GLMS[response][0](eta, shape[z]), obs=y)


@pytest.mark.parametrize(
    "name", [n if n == "poisson" else pytest.param(n, marks=pytest.mark.slow) for n in GLMS]
)
def test_generalised_linear_models(name):
    _, log_density, draw, extra = GLMS[name]
    given = np.ones(2) if extra is None else np.array(extra)
    eta = OFFSET + (X * SLOPES[Z]).sum(1)
    y = draw(np.random.default_rng(5), eta, given[Z])
    fitter = em.EM(glm, num_restarts=4)
    fit = fitter.run(KEY, X, y, OFFSET, response=name, extra=extra is not None)
    assert rungs(fit) == {n: CLOSED if n == "weights" else ROWS for n in fit.params}

    def log_likelihood(theta):
        beta, own = theta[1:5].reshape(2, 2), np.exp(theta[5:]) if extra else given
        predictors = OFFSET[:, None] + X @ beta.T
        log_weights = special.log_softmax([theta[0], 0.0])
        return mixture(log_weights, log_density(y[:, None], predictors, own)).sum()

    names = ("beta", "shape") if extra else ("beta",)
    theta = pack(fit, *names, logs=("shape",))
    truth = np.concatenate([[np.log(0.4 / 0.6)], SLOPES.ravel(), np.log(given) if extra else []])
    check_maximum(fit, log_likelihood, theta, [truth])


def choices(x, y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        beta = numpyro.sample("beta", dist.Normal(0, 5).expand([2, 2]).to_event(2))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        logits = jnp.einsum("np,ncp->nc", x, jnp.broadcast_to(beta[z], (x.shape[0], 2, 2)))
        logits = jnp.concatenate([jnp.zeros((x.shape[0], 1)), logits], -1)
        with numpyro.plate("times", y.shape[0]):
            numpyro.sample("y", dist.Categorical(logits=logits), obs=y)


@pytest.mark.slow
def test_multinomial_logit():
    """Eight choices a row among three; K is known to be identified by the repeats."""
    truth = np.array([[[0.5, 1.0], [-0.5, -1.0]], [[0.0, -1.5], [1.0, 0.5]]])
    logits = np.einsum("np,kcp->knc", X, truth)
    logits = np.concatenate([np.zeros((2, N, 1)), logits], -1)
    chosen = special.softmax(logits, -1)[Z, np.arange(N)]
    rng = np.random.default_rng(2)
    y = (rng.random((8, N, 1)) > np.cumsum(chosen, -1)[:, :2]).sum(-1)
    fit = em.EM(choices, num_restarts=4).run(KEY, X, y)
    assert rungs(fit) == {"weights": CLOSED, "beta": ROWS}

    def log_likelihood(theta):
        scores = np.einsum("np,kcp->nkc", X, theta[1:].reshape(2, 2, 2))
        scores = np.concatenate([np.zeros((N, 2, 1)), scores], -1)
        log_probs = special.log_softmax(scores, -1)
        counts = (y[..., None] == np.arange(3)).sum(0)
        conditional = np.einsum("nc,nkc->nk", counts, log_probs)
        return mixture(special.log_softmax([theta[0], 0.0]), conditional).sum()

    start = np.concatenate([[np.log(0.4 / 0.6)], truth.ravel()])
    check_maximum(fit, log_likelihood, pack(fit, "beta"), [start])


# ---- a model that nobody foresaw ---------------------------------------------------------------


def unforeseen(x, u, y):
    """A Gumbel and a Poisson of one class; one scale for both Gumbels, a link in each location."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    scale = numpyro.sample("scale", dist.HalfNormal(2))
    with numpyro.plate("components", 2):
        a = numpyro.sample("a", dist.Normal(0, 2))
        b = numpyro.sample("b", dist.Normal(0, 2))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("u", dist.Gumbel(jax.nn.softplus(a[z]) + x, scale), obs=u)
        numpyro.sample("y", dist.Poisson(jnp.exp(b[z])), obs=y)


@pytest.mark.slow
def test_a_gumbel_and_a_poisson_with_a_tied_scale_and_links():
    rng = np.random.default_rng(4)
    x = X[:, 1]
    u = rng.gumbel(np.log1p(np.exp([0.0, 4.0]))[Z] + x, 0.7)
    y = rng.poisson(np.exp([0.5, 1.5])[Z])
    fit = em.EM(unforeseen, num_restarts=2).run(KEY, x, u, y)
    assert rungs(fit) == {"weights": CLOSED, "scale": ROWS, "a": ROWS, "b": STATISTICS}

    def log_likelihood(theta):
        loc = np.log1p(np.exp(theta[2:4])) + x[:, None]
        conditional = stats.gumbel_r.logpdf(u[:, None], loc, np.exp(theta[1]))
        conditional = conditional + stats.poisson.logpmf(y[:, None], np.exp(theta[4:]))
        return mixture(special.log_softmax([theta[0], 0.0]), conditional).sum()

    truth = np.array([np.log(0.4 / 0.6), np.log(0.7), 0.0, 4.0, 0.5, 1.5])
    check_maximum(fit, log_likelihood, pack(fit, "scale", "a", "b"), [truth])
