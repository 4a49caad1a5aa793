"""Arguments that are functions of parameters, and matrices of them."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import special, stats

from .mixtures import (
    CLOSED,
    START,
    STATISTICS,
    N,
    X,
    answer,
    assert_answer,
    close,
    reference,
    run,
    rungs,
    sources,
)

pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.parametrize("k", [2, *(pytest.param(k, marks=pytest.mark.slow) for k in (3, 4, 5))])
def test_a_shifted_parameter_is_a_function_however_few_there_are(k):
    """A function of a parameter is never taken for a constant."""

    def model(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([k]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(k) / k))
            numpyro.sample("x", dist.Normal(loc[z] + 2.0, 1.0), obs=x)

    start = np.full((N, k), 0.1) + np.eye(k)[np.arange(N) * k // N]
    start = start / start.sum(1, keepdims=True)
    fit = run(model, X[:, 0], start=start)
    assert "function of loc" in sources(fit, "x")["loc"]
    assert sources(fit, "x")["scale"] == "fixed"
    expected = reference(X[:, :1], start, scale=1.0, weights=np.ones(k) / k)
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-4)


@pytest.mark.parametrize("free_weights", [False, True])
def test_a_log_scale_is_a_function_of_a_parameter(free_weights):
    def model(x):
        weights = jnp.ones(2) / 2
        if free_weights:
            weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        log_scale = numpyro.sample("log_scale", dist.Normal(0, 1))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], jnp.exp(log_scale)), obs=x)

    fit = run(model, X[:, 0])
    expected = answer(tie_scale=True, weights=None if free_weights else (0.5, 0.5))
    assert_answer(fit, expected, ("loc",))
    close(np.exp(fit.params["log_scale"]), expected["scale"][0])
    assert "function of" in sources(fit, "x")["scale"]
    assert rungs(fit)["loc", "log_scale"] == STATISTICS


def full_reference(x, resp, steps=500):
    for _ in range(steps):
        count = resp.sum(0)
        loc = resp.T @ x / count[:, None]
        centred = x[:, None] - loc
        cov = np.einsum("nk,nki,nkj->kij", resp, centred, centred) / count[:, None, None]
        joint = np.stack(
            [
                np.log(c / len(x)) + stats.multivariate_normal.logpdf(x, m, v)
                for c, m, v in zip(count, loc, cov, strict=True)
            ],
            axis=1,
        )
        total = special.logsumexp(joint, axis=1)
        resp = np.exp(joint - total[:, None])
    return loc, cov, total.sum()


@pytest.mark.slow
def test_covariances_of_scales_and_a_correlation_factor():
    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]).to_event(1))
            scale = numpyro.sample("scale", dist.HalfNormal(3).expand([2]).to_event(1))
            corr = numpyro.sample("corr", dist.LKJCholesky(2))
        tril = scale[..., None] * corr
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.MultivariateNormal(loc[z], scale_tril=tril[z]), obs=x)

    fit = run(model, X)
    loc, cov, log_likelihood = full_reference(X, START)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
    close(fit.params["loc"], loc)
    tril = np.asarray(fit.params["scale"])[..., None] * np.asarray(fit.params["corr"])
    close(tril @ tril.swapaxes(1, 2), cov)
    assert rungs(fit) == {("weights",): CLOSED, ("loc", "scale", "corr"): STATISTICS}
    assert fit.num_free_params == 1 + 4 + 4 + 2


@pytest.mark.parametrize("shared", [False, True])
def test_covariance_matrices(shared):
    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        prior = dist.InverseWishart(5.0, scale_matrix=jnp.eye(2))
        with numpyro.plate("components", 2):
            loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]).to_event(1))
            cov = None if shared else numpyro.sample("cov", prior)
        if shared:
            cov = numpyro.sample("cov", prior)
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            chosen = cov if shared else cov[z]
            numpyro.sample("x", dist.MultivariateNormal(loc[z], chosen), obs=x)

    fit = run(model, X)
    params = {n: np.asarray(v) for n, v in fit.params.items()}
    assert fit.spec.closed_form
    assert fit.num_free_params == 1 + 4 + (3 if shared else 6)
    resp = np.asarray(fit.responsibilities())
    centred = X[:, None] - params["loc"]
    scatter = np.einsum("nk,nki,nkj->kij", resp, centred, centred)
    if shared:
        close(params["cov"], scatter.sum(0) / N)
    else:
        loc, cov, log_likelihood = full_reference(X, START)
        assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
        close(params["loc"], loc)
        close(params["cov"], cov)


def test_linear_regressions_are_weighted_least_squares():
    rng = np.random.default_rng(3)
    t = np.column_stack([np.ones(N), rng.uniform(-2, 2, N)])
    first = np.arange(N) < 16
    y = np.where(first, t @ [1.0, 2.0], t @ [0.0, -1.5]) + rng.normal(0, 0.4, N)
    start = np.where(first[:, None], [0.8, 0.2], [0.2, 0.8])

    def model(t, y):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            beta = numpyro.sample("beta", dist.Normal(0, 5).expand([2]).to_event(1))
            sigma = numpyro.sample("sigma", dist.HalfNormal(1))
        with numpyro.plate("rows", y.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("y", dist.Normal((t * beta[z]).sum(-1), sigma[z]), obs=y)

    fit = run(model, t, y, start=start)
    resp = start
    for _ in range(1000):
        count = resp.sum(0)
        beta = np.stack([np.linalg.solve(t.T * r @ t, t.T * r @ y) for r in resp.T])
        residual = y[:, None] - t @ beta.T
        sigma = np.sqrt((resp * residual**2).sum(0) / count)
        joint = np.log(count / N) + stats.norm.logpdf(residual, 0, sigma)
        total = special.logsumexp(joint, axis=1)
        resp = np.exp(joint - total[:, None])
    assert fit.log_likelihood == pytest.approx(total.sum(), abs=1e-6)
    close(fit.params["beta"], beta)
    close(fit.params["sigma"], sigma)
    assert rungs(fit)[("beta", "sigma")] == CLOSED
    assert fit.num_free_params == 1 + 4 + 2
