"""Families without a closed form reach the optimum that SciPy finds."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, special, stats

from mixpyro import em

from .mixtures import CLOSED, KEY, rungs

pytestmark = pytest.mark.usefixtures("x64")


def _two(draw_a, draw_b):
    return np.concatenate([draw_a, draw_b])


def _others():
    rng = np.random.default_rng(11)
    inf = np.inf
    yield (
        "Gumbel",
        _two(rng.gumbel(0, 1, 20), rng.gumbel(5, 1, 15)),
        lambda a, b: dist.Gumbel(a, b),
        lambda x, a, b: stats.gumbel_r.logpdf(x, a, b),
        ([0.0, 5.0], 1.0),
        (-inf, inf),
    )
    yield (
        "StudentT",
        _two(rng.standard_t(4, 20), 6 + rng.standard_t(4, 15)),
        lambda a, b: dist.StudentT(4.0, a, b),
        lambda x, a, b: stats.t.logpdf(x, 4, a, b),
        ([0.0, 6.0], 1.0),
        (-inf, inf),
    )
    yield (
        "Gamma",
        _two(rng.gamma(4, 1 / 4.0, 20), rng.gamma(4, 1 / 0.7, 15)),
        lambda a, b: dist.Gamma(b, a),
        lambda x, a, b: stats.gamma.logpdf(x, b, scale=1 / a),
        ([4.0, 0.7], 4.0),
        (0, inf),
    )
    yield (
        "Weibull",
        _two(rng.weibull(3, 20), 5 * rng.weibull(3, 15)),
        lambda a, b: dist.Weibull(a, b),
        lambda x, a, b: stats.weibull_min.logpdf(x, b, scale=a),
        ([1.0, 5.0], 3.0),
        (0, inf),
    )
    yield (
        "NegativeBinomial2",
        _two(rng.poisson(rng.gamma(4, 3 / 4, 25)), rng.poisson(rng.gamma(4, 30 / 4, 20))),
        lambda a, b: dist.NegativeBinomial2(a, b),
        lambda x, a, b: stats.nbinom.logpmf(x, b, b / (a + b)),
        ([3.0, 30.0], 4.0),
        (0, inf),
    )
    yield (
        "Beta",
        _two(rng.beta(2, 8, 20), rng.beta(20, 8, 15)),
        lambda a, b: dist.Beta(a, b),
        lambda x, a, b: stats.beta.logpdf(x, a, b),
        ([2.0, 20.0], 8.0),
        (0, inf),
    )


@pytest.mark.parametrize(
    ("x", "family", "logpdf", "truth", "domain"),
    [
        pytest.param(*case[1:], id=case[0], marks=[pytest.mark.slow] * (place > 0))
        for place, case in enumerate(_others())
    ],
)
def test_any_distribution_reaches_the_optimum_that_scipy_finds(x, family, logpdf, truth, domain):
    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        prior = dist.Normal(0, 5) if np.isinf(domain[0]) else dist.HalfNormal(5)
        a = numpyro.sample("a", prior.expand([2]))
        b = numpyro.sample("b", dist.HalfNormal(5))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", family(a[z], b), obs=x)

    init = {"weights": np.array([0.55, 0.45]), "a": np.array(truth[0]), "b": truth[1]}
    fit = em.EM(model).run(KEY, x, init_params=init)
    positive = not np.isinf(domain[0])

    def negative(v):
        a = np.exp(v[1:3]) if positive else v[1:3]
        log_weights = np.array([-np.log1p(np.exp(-v[0])), -np.log1p(np.exp(v[0]))])
        joint = log_weights + logpdf(x[:, None], a, np.exp(v[3]))
        return -special.logsumexp(joint, axis=1).sum()

    a = np.log(truth[0]) if positive else np.asarray(truth[0])
    best = np.array([0.2, *a, np.log(truth[1])])
    for _ in range(4):  # afresh from where it ended: a simplex stalls
        best = optimize.minimize(
            negative, best, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}
        ).x
    assert fit.log_likelihood > -negative(best) - 1e-4
    fitted = [np.asarray(fit.params[n]) for n in ("a", "b")]
    joint = np.log(fit.params["weights"]) + logpdf(x[:, None], *fitted)
    by_hand = special.logsumexp(joint, axis=1).sum()
    assert fit.log_likelihood == pytest.approx(by_hand, abs=1e-5)
    assert np.all(np.diff(fit.trace) > -1e-9), "EM never lowers its objective"
    assert rungs(fit)[("weights",)] == CLOSED
    assert fit.num_free_params == 1 + 2 + 1
