"""Climbs over batches take the steps that all rows at once would, by a hand-written EM."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy.special import logsumexp
from scipy.stats import norm

from mixpyro import em
from mixpyro.em import over_batches

RNG = np.random.default_rng(3)
N, SIZE = 1003, 128
X = np.concatenate([RNG.normal(-1.5, 1, 400), RNG.normal(2, 0.7, N - 400)])
RNG.shuffle(X)
W = RNG.integers(1, 4, N).astype(float)
START = {"probs": np.array([0.5, 0.5]), "loc": np.array([-1.0, 1.0]), "scale": np.array([1.0, 2.0])}


def normals(x, weight):
    probs = numpyro.sample("probs", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(5))
    with numpyro.plate("rows", x.shape[0]), handlers.scale(scale=weight):
        z = numpyro.sample("z", dist.Categorical(probs))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def data(x=X, size=SIZE):
    return em.Batches(x, batch_size=size), em.Batches(W[: len(x)], batch_size=size)


def joint(params, x):
    return np.log(params["probs"]) + norm.logpdf(x[:, None], params["loc"], params["scale"])


def log_likelihood(params, x=X, weight=W):
    return float(np.nansum(weight * logsumexp(joint(params, x), axis=1)))


def sums(params, x, weight):
    """What the rows add to the statistics: weights, first and second moments of each class."""
    resp = np.exp(joint(params, x) - logsumexp(joint(params, x), axis=1, keepdims=True))
    return np.array([(weight[:, None] * resp * x[:, None] ** p).sum(0) for p in (0, 1, 2)])


def maximum(statistics):
    count, first, second = statistics
    loc = first / count
    return {
        "probs": count / count.sum(),
        "loc": loc,
        "scale": np.sqrt(second / count - loc**2),
    }


def by_hand(steps, params):
    trace = []
    for _ in range(steps):
        params = maximum(sums(params, X, W))
        trace.append(log_likelihood(params))
    return np.array(trace), params


def test_passes_are_the_steps_of_em(precision):
    fit = em.EM(normals, accelerate=None, max_steps=12).run(0, *data(), init_params=START)
    trace, params = by_hand(12, START)
    close = {"rtol": 1e-9} if precision == jnp.float64 else {"rtol": 3e-6}
    np.testing.assert_allclose(fit.trace, trace[: fit.num_steps], **close)
    assert fit.num_steps > 5
    if precision == jnp.float64:
        assert fit.num_steps == 12
        assert fit.status == em.Status.MAX_STEPS
        for name, value in params.items():
            np.testing.assert_allclose(fit.params[name], value, rtol=1e-7)


def test_accelerated_passes_end_at_the_optimum(precision):
    fit = em.EM(normals).run(0, *data(), init_params=START)
    trace, best = by_hand(300, START)
    double = precision == jnp.float64
    assert fit.status == em.Status.CONVERGED
    assert abs(fit.log_likelihood - trace[-1]) < (1e-7 if double else 0.02)
    assert (np.diff(fit.trace) >= 0).all()
    for name, value in best.items():
        np.testing.assert_allclose(fit.params[name], value, rtol=1e-4 if double else 1e-2)
    assert fit.total_weight == W.sum()
    own = {n: np.asarray(v, float) for n, v in fit.params.items()}
    own["probs"] = own["probs"] / own["probs"].sum()  # which in single precision have seven digits
    np.testing.assert_allclose(fit.log_likelihood, log_likelihood(own), rtol=1e-11)
    np.testing.assert_allclose(fit.bic, -2 * fit.log_likelihood + 5 * np.log(W.sum()))
    assert fit.spec.num_rows == N


def test_starts_come_from_a_sample(x64, monkeypatch):
    """And from there a few passes do, whatever the sample."""
    monkeypatch.setattr(over_batches, "_SAMPLE", 300)
    fit = em.EM(normals, num_restarts=3).run(1, *data())
    trace, _ = by_hand(300, START)
    assert fit.status == em.Status.CONVERGED
    np.testing.assert_allclose(fit.log_likelihood, trace[-1], atol=1e-6)
    assert fit.num_steps < 12


def test_nothing_is_compiled_for_more_batches_or_a_shorter_one(x64, monkeypatch, watch_jax):
    monkeypatch.setattr(over_batches, "_SAMPLE", 300)
    run = em.EM(normals, max_steps=5, accelerate=None).run
    run(0, *data(X[:700]), init_params=START)
    with watch_jax() as work:
        run(0, *data(X), init_params=START)
    assert work.compiled == []


def test_missing_entries(x64):
    """Rows without their number say nothing."""
    holes = np.random.default_rng(5).random(N) < 0.2
    x = np.where(holes, np.nan, X)
    fit = em.EM(normals, accelerate=None, max_steps=3).run(0, *data(x), init_params=START)
    params = START
    for _ in range(3):
        new = maximum(sums(params, X[~holes], W[~holes]))
        # The probabilities are of all rows, those without their number at the old ones.
        lost = params["probs"] * W[holes].sum()
        count = sums(params, X[~holes], W[~holes])[0] + lost
        params = new | {"probs": count / count.sum()}
    np.testing.assert_allclose(fit.params["probs"], params["probs"], rtol=1e-9)
    np.testing.assert_allclose(fit.params["scale"], params["scale"], rtol=1e-9)
    np.testing.assert_allclose(fit.trace[-1], log_likelihood(params, X[~holes], W[~holes]))


@pytest.mark.parametrize("decay", [0.6, 1.0])
def test_stepwise_follows_the_recursion(x64, decay):
    """Cappe & Moulines (2009), with the batches as its observations."""
    x, weight, size = X[: 7 * SIZE], W[: 7 * SIZE], SIZE
    rule = em.Stepwise(decay=decay)
    fit = em.EM(normals, accelerate=rule, max_steps=1).run(0, *data(x), init_params=START)
    params, average = START, 0
    for t, first in enumerate(range(0, len(x), size), 1):
        part = slice(first, first + size)
        own = sums(params, x[part], weight[part]) / weight[part].sum()
        average = average + t**-decay * (own - average)
        params = maximum(average)
    after = maximum(sums(params, x, weight))
    np.testing.assert_allclose(fit.trace, [log_likelihood(after, x, weight)])
    np.testing.assert_allclose(fit.params["loc"], after["loc"], rtol=1e-8)


def test_stepwise_is_refused_where_it_means_nothing():
    with pytest.raises(ValueError, match="decay must be above"):
        em.Stepwise(decay=0.5)
    with pytest.raises(ValueError, match="passes must be a whole number"):
        em.Stepwise(passes=0)
    with pytest.raises(ValueError, match=r"em\.Stepwise is for em\.Batches"):
        em.EM(normals, accelerate=em.Stepwise()).run(0, X, W)


def test_progress_counts_rows(x64, capsys):
    em.EM(normals, progress_bar=True, max_steps=2, accelerate=None).run(
        0, *data(), init_params=START
    )
    assert "EM, pass 2: 100%" in capsys.readouterr().err
