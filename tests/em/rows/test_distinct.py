"""Rows that are alike climb as one row of their weight: against likelihoods written by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, special, stats

from mixpyro import em, models
from mixpyro.em.climb.engine import stand_in
from mixpyro.em.programs import prepare
from mixpyro.em.rows.distinct import distinct

N = 1200
KEY = jax.random.key(0)


def answers():
    rng = np.random.default_rng(3)
    z = rng.integers(2, size=N)
    return (rng.random((N, 4)) < np.array([[0.9, 0.8, 0.7, 0.8], [0.2, 0.3, 0.1, 0.2]])[z]).astype(
        int
    )


def counts():
    """Of two kinds, at one of two places, each seen once or twice."""
    rng = np.random.default_rng(4)
    place, z = rng.integers(2, size=N), rng.integers(2, size=N)
    y = rng.poisson(np.exp(np.array([0.5, 2.5])[z] + np.array([0.4, -0.5])[z] * place))
    return y, np.c_[np.ones(N), place], rng.integers(1, 3, size=N).astype(float)


def best_of_lines(y, design, weights, start):
    """SciPy's optimum of two Poisson regressions, by hand."""

    def minus(theta):
        b, logit = theta[:4].reshape(2, 2), theta[4]
        parts = stats.poisson.logpmf(y[:, None], np.exp(design @ b.T))
        parts += special.log_expit([logit, -logit])
        return -(weights * special.logsumexp(parts, 1)).sum()

    return -optimize.minimize(minus, start, method="BFGS", options={"gtol": 1e-6}).fun


def regressions(y, design, weights, centred=False):
    x = design - design.mean(0) if centred else design
    share = numpyro.sample("share", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("classes", 2):
        b = numpyro.sample("b", dist.Normal(0, 3).expand([2]).to_event(1))
    with numpyro.plate("rows", len(y)), numpyro.handlers.scale(scale=weights):
        z = numpyro.sample("z", dist.Categorical(share))
        numpyro.sample("y", dist.Poisson(jnp.exp((x * b[z]).sum(-1))), obs=y)


def climbing_rows(fit):
    rows, _ = prepare(fit.program, fit.call.arrays)
    return stand_in(fit.program, rows, pool=True)


def test_kinds_are_those_of_all_numbers():
    rng = np.random.default_rng(0)
    a, b = rng.integers(3, size=(N, 2)), rng.integers(2, size=(2, N)).astype(np.float32)
    kinds = distinct([a, b, np.zeros(7)], N)
    rows = np.c_[a, b.T]
    first, sizes = np.unique(rows, axis=0, return_counts=True)
    order = np.lexsort(rows[kinds.first].T[::-1])
    np.testing.assert_array_equal(rows[kinds.first][order], first)
    np.testing.assert_array_equal(rows[kinds.first][kinds.of], rows)
    np.testing.assert_array_equal(kinds.sums(np.ones(N))[order], sizes)
    assert kinds.sums(np.ones(N, np.float32)).dtype == np.float32


def test_numbers_of_their_own_are_no_kinds():
    rng = np.random.default_rng(0)
    assert distinct([rng.normal(size=N)], N) is None  # each its own
    assert distinct([np.repeat(rng.normal(size=N // 2), 2)], N) is None  # little would be gained
    assert distinct([np.zeros(N // 2)], N // 2) is None  # few
    assert distinct([np.zeros(7)], N) is None  # nothing is by row
    missing = rng.integers(2, size=N).astype(float)
    missing[5] = np.nan
    assert distinct([missing], N) is None


def test_answers_climb_by_their_patterns(precision):
    x = answers()
    fit = em.EM(models.latent_class).run(KEY, x, num_components=2)
    program, rows = climbing_rows(fit)
    assert program.num_rows < 40
    assert np.asarray(rows.weights).sum() == N
    assert np.asarray(rows.chunks.weights).sum() == N
    # Goodman's likelihood of the table of patterns, by hand, and its optimum by SciPy.
    patterns, sizes = np.unique(x, axis=0, return_counts=True)

    def minus(theta):
        p = special.expit(theta[:8].reshape(2, 4))
        parts = special.xlogy(patterns[:, None], p) + special.xlog1py(1 - patterns[:, None], -p)
        return -(
            sizes @ special.logsumexp(parts.sum(2) + special.log_expit([theta[8], -theta[8]]), 1)
        )

    start = special.logit([0.9, 0.8, 0.7, 0.8, 0.2, 0.3, 0.1, 0.2, 0.5])
    best = -optimize.minimize(minus, start, method="BFGS", options={"gtol": 1e-6}).fun
    assert fit.status is em.Status.CONVERGED
    assert fit.log_likelihood == pytest.approx(best, abs=2e-3)
    # What is by row stays by row.
    assert fit.responsibilities().shape == (N, 2)
    assert fit.predict().shape == (N,)


def test_regressions_climb_by_their_kinds_with_their_weights(x64):
    y, design, weights = counts()
    fit = em.EM(regressions).run(KEY, y, design, weights)
    program, rows = climbing_rows(fit)
    assert program.num_rows < N / 4
    assert np.asarray(rows.weights).sum() == weights.sum()
    b, share = np.asarray(fit.params["b"]), np.asarray(fit.params["share"])
    own = np.append(b, np.log(share[0] / share[1]) / 2)
    best = best_of_lines(y, design, weights, own)
    assert fit.status is em.Status.CONVERGED
    assert fit.log_likelihood == pytest.approx(best, abs=1e-5)
    true = best_of_lines(y, design, weights, np.array([0.5, 0.4, 2.5, -0.5, 0.0]))
    assert best >= true - 1e-5
    assert np.all(np.diff(fit.trace) >= -1e-9)


def test_a_model_that_looks_at_all_rows_climbs_by_all(x64):
    """A mean of kinds would not be that of the rows."""
    y, design, weights = counts()
    fit = em.EM(regressions, num_restarts=4).run(KEY, y, design, weights, centred=True)
    assert climbing_rows(fit)[0] is fit.program
    own = np.asarray(fit.params["b"])
    x, share = design - design.mean(0), np.asarray(fit.params["share"])
    parts = stats.poisson.logpmf(y[:, None], np.exp(x @ own.T)) + np.log(share)
    by_hand = (weights * special.logsumexp(parts, 1)).sum()
    assert fit.log_likelihood == pytest.approx(by_hand, abs=1e-6)


def test_classes_that_are_each_rows_own_are_not_pooled(x64):
    x = answers()
    start = np.random.default_rng(0).dirichlet(np.ones(2), N)
    soft = em.EM(models.latent_class).run(KEY, x, num_components=2, init_responsibilities=start)
    best = em.EM(models.latent_class).run(KEY, x, num_components=2)
    assert soft.log_likelihood == pytest.approx(best.log_likelihood, abs=1e-4)
    hard = em.EM(models.latent_class, assign="hard", num_restarts=2).run(KEY, x, num_components=2)
    p, labels = np.asarray(hard.params["probs"])[..., 1], np.asarray(hard.labels)
    assert labels.shape == (N,)
    for k in range(2):  # each class has the shares of its own rows
        np.testing.assert_allclose(p[k], x[labels == k].mean(0), atol=1e-6)


def test_known_classes_are_part_of_a_row(x64):
    """Rows of one pattern with and without a label are of two kinds."""

    def model(x, labels, known):
        share = numpyro.sample("share", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("classes", 2):
            p = numpyro.sample("p", dist.Beta(1, 1).expand([x.shape[1]]).to_event(1))
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(share), obs=labels, obs_mask=known)
            numpyro.sample("x", dist.Bernoulli(p[z]).to_event(1), obs=x)

    x = answers()
    known = np.arange(N) % 3 == 0
    labels = np.where(known, x[:, 0], 0)
    fit = em.EM(model, num_restarts=2).run(KEY, x, labels, known)
    assert climbing_rows(fit)[0].num_rows < N / 4
    share, p = np.asarray(fit.params["share"]), np.asarray(fit.params["p"])
    joint = stats.bernoulli.logpmf(x[:, None], p).sum(2) + np.log(share)
    own = np.where(known, joint[np.arange(N), labels], special.logsumexp(joint, 1)).sum()
    assert fit.log_likelihood == pytest.approx(own, abs=1e-6)
