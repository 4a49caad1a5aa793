"""Plates, events, several sites, one component: the shapes of data and of z."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import special, stats

from mixpyro import em

from .mixtures import (
    CLOSED,
    KEY,
    START,
    N,
    X,
    answer,
    assert_answer,
    close,
    declare,
    plain,
    run,
    rungs,
)

pytestmark = pytest.mark.usefixtures("x64")


def inner_plate(x):
    weights, loc, scale = declare(shape=(2,))
    with numpyro.plate("rows", x.shape[0], dim=-2):
        z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("features", x.shape[1], dim=-1):
            column = jnp.arange(x.shape[1])
            numpyro.sample("x", dist.Normal(loc[z, column], scale[z, column]), obs=x)


def feature_plate_before_rows(x):
    weights, loc, scale = declare(shape=(2,))
    with numpyro.plate("rows", x.shape[0], dim=-1):
        z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("features", x.shape[1], dim=-2):
            column = jnp.arange(x.shape[1])[:, None]
            numpyro.sample("x", dist.Normal(loc[z, column], scale[z, column]), obs=x.T)


def event(x):
    weights, loc, scale = declare(shape=(2,))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]).to_event(1), obs=x)


@pytest.mark.parametrize("model", [inner_plate, feature_plate_before_rows, event])
def test_several_features(model):
    fit = run(model, X)
    assert_answer(fit, answer(2))
    assert fit.spec.closed_form
    assert fit.spec.num_rows == N
    assert fit.num_free_params == 1 + 4 + 4


def test_several_sites_of_different_families():
    counts = np.where(np.arange(N) < 15, 2, 6) + np.arange(N) % 3
    flags = (np.arange(N) % 4 < np.where(np.arange(N) < 18, 1, 3)).astype(int)

    def model(x, y, flag):
        weights, loc, scale = declare()
        rate = numpyro.sample("rate", dist.HalfNormal(5).expand([2]))
        probs = numpyro.sample("probs", dist.Beta(1, 1).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)
            numpyro.sample("y", dist.Poisson(rate[z]), obs=y)
            numpyro.sample("flag", dist.Bernoulli(probs[z]), obs=flag)

    fit = run(model, X[:, 0], counts, flags)
    resp = START
    for _ in range(2000):
        count = resp.sum(0)
        loc, rate, probs = (resp.T @ v / count for v in (X[:, 0], counts, flags))
        scale = np.sqrt((resp * (X[:, :1] - loc) ** 2).sum(0) / count)
        joint = np.log(count / N) + stats.norm.logpdf(X[:, :1], loc, scale)
        joint = joint + stats.poisson.logpmf(counts[:, None], rate)
        joint = joint + stats.bernoulli.logpmf(flags[:, None], probs)
        total = special.logsumexp(joint, axis=1)
        resp = np.exp(joint - total[:, None])
    assert fit.log_likelihood == pytest.approx(total.sum(), abs=1e-6)
    for name, value in {"loc": loc, "scale": scale, "rate": rate, "probs": probs}.items():
        close(fit.params[name], value)
    assert rungs(fit) == {
        ("weights",): CLOSED,
        ("loc", "scale"): CLOSED,
        ("rate",): CLOSED,
        ("probs",): CLOSED,
    }
    assert fit.num_free_params == 1 + 4 + 2 + 2


def test_one_component():
    def model(x):
        _, loc, scale = declare(1)
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(1)))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)

    def free(x):
        weights, loc, scale = declare(1)
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)

    x = X[:, 0]
    fit = em.EM(free).run(KEY, x)
    close(fit.params["loc"], x.mean())
    close(fit.params["scale"], x.std())
    close(fit.params["weights"], 1)
    expected = stats.norm.logpdf(x, x.mean(), x.std()).sum()
    assert fit.log_likelihood == pytest.approx(expected, abs=1e-9)
    assert fit.num_free_params == 2
    assert fit.status is em.Status.CONVERGED
    np.testing.assert_allclose(fit.responsibilities(), np.ones((N, 1)))
    with pytest.raises(ValueError, match="does not reach the parameter 'weights'"):
        em.EM(model).run(KEY, x)


def test_several_plates_of_z():
    """z (g, m) with one value a cell: rows are the cells, in order."""
    x = X[:, 0].reshape(5, 6)

    def model(x):
        weights, loc, scale = declare()
        with numpyro.plate("left", 5, dim=-2), numpyro.plate("right", 6, dim=-1):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)

    fit = run(model, x)
    assert_answer(fit, answer())
    assert fit.spec.num_rows == N
    expected = run(plain, X[:, 0]).responsibilities()
    np.testing.assert_allclose(fit.responsibilities(), expected, atol=1e-6)


def test_z_of_a_group_with_its_observations_in_an_inner_plate():
    x = X[:, 0].reshape(15, 2)
    start = START[::2]

    def model(x):
        weights, loc, scale = declare()
        with numpyro.plate("groups", 15, dim=-2):
            z = numpyro.sample("z", dist.Categorical(weights))
            with numpyro.plate("within", 2, dim=-1):
                numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)

    fit = run(model, x, start=start)
    weights, loc, scale = (np.asarray(fit.params[n]) for n in ("weights", "loc", "scale"))
    joint = np.log(weights) + stats.norm.logpdf(x[:, :, None], loc, scale).sum(1)
    total = special.logsumexp(joint, axis=1)
    assert fit.log_likelihood == pytest.approx(total.sum(), abs=1e-8)
    resp = np.exp(joint - total[:, None])
    np.testing.assert_allclose(fit.responsibilities(), resp, atol=1e-8)
    close(weights, resp.mean(0))
    close(loc, resp.T @ x.sum(1) / (2 * resp.sum(0)))
    squares = ((x[:, :, None] - loc) ** 2).sum(1)
    close(scale, np.sqrt((resp * squares).sum(0) / (2 * resp.sum(0))))
    assert fit.num_free_params == 5
