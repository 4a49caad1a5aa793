"""Two normals in one or two columns: data, EM of them in NumPy, and what is asked of a fit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import special, stats

from mixpyro import em

KEY = jax.random.key(0)
CLOSED, STATISTICS, ROWS = "closed form", "numeric, on statistics", "numeric, on rows"

_rng = np.random.default_rng(7)
N = 30
X = np.where(np.arange(N)[:, None] < 18, 0.0, 2.5) + _rng.normal(size=(N, 2)) * [1.0, 0.8]
START = np.where(np.arange(N)[:, None] < 18, [0.8, 0.2], [0.3, 0.7])


def reference(x, resp=START, *, tie_scale=False, scale=None, loc=None, weights=None, steps=1500):
    """EM for normals of (n, d) data, in NumPy: weights, loc, scale, log-likelihood.

    ``loc`` (k, d) fixes the entries that are not NaN; ``scale`` and ``weights`` fix all.
    """
    for _ in range(steps):
        count = resp.sum(0)
        w = count / count.sum() if weights is None else np.asarray(weights)
        mean = resp.T @ x / count[:, None]
        if loc is not None:
            mean = np.where(np.isnan(loc), mean, loc)
        squares = np.einsum("nk,nkd->kd", resp, (x[:, None] - mean) ** 2)
        variance = squares / count[:, None]
        if tie_scale:
            variance = np.broadcast_to(squares.sum(0) / len(x), squares.shape)
        sd = np.sqrt(variance) if scale is None else np.full(squares.shape, scale)
        joint = np.log(w) + stats.norm.logpdf(x[:, None], mean, sd).sum(-1)
        total = special.logsumexp(joint, axis=1)
        moved = np.abs(resp - np.exp(joint - total[:, None])).max()
        resp = np.exp(joint - total[:, None])
        if moved < 1e-12:
            break
    return {"weights": w, "loc": mean, "scale": sd, "log_likelihood": total.sum()}


@functools.cache
def answer(columns=1, **options):
    return reference(X[:, :columns], **options)


def run(model, *args, start=START, **kwargs):
    fit = em.EM(model).run(KEY, *args, init_responsibilities=start, **kwargs)
    assert np.all(np.diff(fit.trace) > -1e-9)
    return fit


def close(value, expected):
    np.testing.assert_allclose(np.squeeze(value), np.squeeze(expected), rtol=2e-4, atol=2e-4)


def assert_answer(fit, expected, names=("weights", "loc", "scale")):
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-6)
    for name in names:
        close(fit.params[name], expected[name])


def rungs(fit):
    return {block.parameters: block.m_step for block in fit.spec.blocks}


def sources(fit, site):
    return dict(next(s for s in fit.spec.sites if s.name == site).arguments)


def declare(k=2, shape=()):
    """The parameters of k normals."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
    with numpyro.plate("components", k, dim=-1 - len(shape)):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand((k, *shape)))
        scale = numpyro.sample("scale", dist.HalfNormal(3).expand((k, *shape)))
    return weights, loc, scale


def plain(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)
