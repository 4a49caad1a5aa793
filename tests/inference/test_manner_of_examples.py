"""Twelve models in the manner of NumPyro's and Pyro's examples: fitted, tabled, sampled, compared.

Each goes from `em.EM` through ``summary`` and a short run of NUTS to ``cross_check``; what the fit
reports is compared with all of NumPyro's own density, z summed out by hand in SciPy.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.ops.indexing import Vindex
from scipy import special, stats

from mixpyro import em, inference

pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.slow]

KEY = jax.random.key(0)
_rng = np.random.default_rng(11)
MODELS: dict[str, tuple] = {}


def add(name, model, data, likelihood):
    """Register a model with its log-likelihood, written by hand."""
    MODELS[name] = (model, data, likelihood)


def mixed(weights, by_class):
    """The log-likelihood of rows; ``by_class`` (n, k) are log densities."""
    return special.logsumexp(np.log(weights) + by_class, axis=-1).sum()


def shares(k=2, concentration=2.0):
    return numpyro.sample("weights", dist.Dirichlet(jnp.full(k, concentration)))


# ---- annotation ---------------------------------------------------------------------------------

ITEMS, LEVELS = 60, 3
RATERS = np.array([0, 0, 1, 2, 2])
TRUTH = np.arange(ITEMS) % LEVELS
_wrong = _rng.random((ITEMS, len(RATERS))) < 0.25
VOTES = np.where(_wrong, _rng.integers(LEVELS, size=_wrong.shape), TRUTH[:, None])


def votes_given(confusion):
    """(items, k) of (positions, k, levels)."""
    return np.log(confusion[np.arange(len(RATERS)), :, VOTES]).sum(1)


def multinomial(votes):
    levels = int(np.max(votes)) + 1
    with numpyro.plate("level", levels):
        confusion = numpyro.sample("confusion", dist.Dirichlet(jnp.full(levels, 2.0)))
    weights = shares(levels)
    with numpyro.plate("item", votes.shape[0], dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with numpyro.plate("position", votes.shape[1]):
            numpyro.sample("y", dist.Categorical(confusion[c]), obs=votes)


add(
    "annotation, one confusion matrix",
    multinomial,
    (VOTES,),
    lambda p: mixed(
        p["weights"], votes_given(np.broadcast_to(p["confusion"], (len(RATERS), LEVELS, LEVELS)))
    ),
)


def dawid_skene(raters, votes):
    levels = int(np.max(votes)) + 1
    with (
        numpyro.plate("rater", int(np.max(raters)) + 1, dim=-2),
        numpyro.plate("level", levels),
    ):
        confusion = numpyro.sample("confusion", dist.Dirichlet(jnp.full(levels, 2.0)))
    weights = shares(levels)
    with numpyro.plate("item", votes.shape[0], dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with numpyro.plate("position", votes.shape[1]):
            numpyro.sample("y", dist.Categorical(Vindex(confusion)[raters, c, :]), obs=votes)


add(
    "annotation, Dawid and Skene",
    dawid_skene,
    (RATERS, VOTES),
    lambda p: mixed(p["weights"], votes_given(p["confusion"][RATERS])),
)


def mace(raters, votes):
    levels, number = int(np.max(votes)) + 1, int(np.max(raters)) + 1
    with numpyro.plate("rater", number):
        guess = numpyro.sample("guess", dist.Dirichlet(jnp.full(levels, 10.0)))
        honest = numpyro.sample("honest", dist.Beta(2.0, 2.0))
    with numpyro.plate("item", votes.shape[0], dim=-2):
        c = numpyro.sample("c", dist.Categorical(logits=jnp.zeros(levels)))
        with numpyro.plate("position", votes.shape[1]):
            s = numpyro.sample("s", dist.Bernoulli(1 - honest[raters]))
            truth = jax.nn.one_hot(c, levels)
            probs = jnp.where(s[..., None] == 0, truth, guess[raters])
            numpyro.sample("y", dist.Categorical(probs), obs=votes)


def mace_likelihood(p):
    h, g = p["honest"][RATERS][:, None, None], p["guess"][RATERS][:, None]
    return mixed(np.full(LEVELS, 1 / LEVELS), votes_given(h * np.eye(LEVELS) + (1 - h) * g))


add("annotation, MACE: a vote is a guess or the truth", mace, (RATERS, VOTES), mace_likelihood)


# ---- counts -------------------------------------------------------------------------------------

VISITS = _rng.poisson(3.0, 150) * (_rng.random(150) < 0.7)


def zero_inflated(y):
    present = numpyro.sample("present", dist.Beta(2.0, 2.0))
    rate = numpyro.sample("rate", dist.Gamma(2.0, 0.5))
    with numpyro.plate("sites", y.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(present))
        numpyro.sample("y", dist.Poisson(jnp.where(z == 1, rate, 1e-6)), obs=y)


add(
    "zero-inflated counts by hand",
    zero_inflated,
    (VISITS,),
    lambda p: mixed(
        np.array([1 - p["present"], p["present"]]),
        stats.poisson.logpmf(VISITS[:, None], np.array([1e-6, float(p["rate"])])),
    ),
)

YEARS = 60
DISASTERS = np.where(np.arange(YEARS) < 25, _rng.poisson(4.0, YEARS), _rng.poisson(1.2, YEARS))


def changepoint(y):
    early = numpyro.sample("early", dist.Gamma(2.0, 0.5))
    late = numpyro.sample("late", dist.Gamma(2.0, 0.5))
    tau = numpyro.sample("tau", dist.Categorical(jnp.full(YEARS, 1 / YEARS)))
    with numpyro.plate("years", y.shape[0]):
        rate = jnp.where(jnp.arange(YEARS) < tau, early, late)
        numpyro.sample("y", dist.Poisson(rate), obs=y)


def changepoint_likelihood(p):
    years = np.arange(YEARS)
    rate = np.where(years[:, None] > years, p["early"], p["late"])
    return special.logsumexp(stats.poisson.logpmf(DISASTERS, rate).sum(1)) - np.log(YEARS)


add("a changepoint", changepoint, (DISASTERS,), changepoint_likelihood)

OCCASIONS = 5
_caught = _rng.random(220) < 0.5
_capture = _rng.random((220, OCCASIONS)) < np.where(_caught, 0.55, 0.2)[:, None]
HISTORIES = _capture[_capture.any(1)].astype(int)


def captures(y):
    """Animals of two kinds; those never caught are not in the data: a truncated sample."""
    weights = shares()
    with numpyro.plate("kinds", 2):
        p = numpyro.sample("p", dist.Beta(2.0, 2.0))
    with numpyro.plate("animals", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample(
            "y", dist.Bernoulli(p[z][:, None]).expand([y.shape[0], 5]).to_event(1), obs=y
        )
    missed = jnp.sum(weights * (1 - p) ** OCCASIONS)
    numpyro.factor("caught", -y.shape[0] * jnp.log1p(-missed))


add(
    "capture and recapture of two kinds",
    captures,
    (HISTORIES,),
    lambda p: (
        mixed(p["weights"], stats.bernoulli.logpmf(HISTORIES[..., None], p["p"]).sum(1))
        - len(HISTORIES) * np.log1p(-np.sum(p["weights"] * (1 - p["p"]) ** OCCASIONS))
    ),
)


# ---- continuous data ----------------------------------------------------------------------------

_half = np.arange(160) < 90
POINTS = np.where(_half[:, None], [-1.5, -1.0], [2.0, 1.5]) + _rng.normal(size=(160, 2)) @ np.array(
    [[1.0, 0.4], [0.0, 0.8]]
)


def lkj(x):
    """Normals of one correlation matrix, with its LKJ prior."""
    weights = shares()
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0.0, 3.0).expand([2]).to_event(1))
    scale = numpyro.sample("scale", dist.LogNormal(0.0, 1.0).expand([2]).to_event(1))
    corr = numpyro.sample("corr", dist.LKJCholesky(2, 2.0))
    with numpyro.plate("points", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        tril = scale[:, None] * corr
        numpyro.sample("x", dist.MultivariateNormal(loc[z], scale_tril=tril), obs=x)


def lkj_likelihood(p):
    tril = p["scale"][:, None] * p["corr"]
    normal = [stats.multivariate_normal(m, tril @ tril.T).logpdf(POINTS) for m in p["loc"]]
    return mixed(p["weights"], np.stack(normal, 1))


add("normals with an LKJ prior", lkj, (POINTS,), lkj_likelihood)

T = np.linspace(-2, 2, 120)
LINE = np.where(
    np.arange(120) % 8 == 0, _rng.normal(0, 8, 120), 1.0 + 2.0 * T + 0.5 * _rng.normal(size=120)
)


def outliers(t, y):
    """A line, and rows that do not belong to it."""
    bad = numpyro.sample("bad", dist.Beta(2.0, 5.0))
    intercept = numpyro.sample("intercept", dist.Normal(0.0, 5.0))
    slope = numpyro.sample("slope", dist.Normal(0.0, 5.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    wide = numpyro.sample("wide", dist.HalfNormal(10.0))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("is_outlier", dist.Bernoulli(bad))
        mean = jnp.where(z == 1, 0.0, intercept + slope * t)
        numpyro.sample("y", dist.Normal(mean, jnp.where(z == 1, wide, sigma)), obs=y)


add(
    "a line with outliers",
    outliers,
    (T, LINE),
    lambda p: mixed(
        np.array([1 - p["bad"], p["bad"]]),
        np.stack(
            [
                stats.norm.logpdf(LINE, p["intercept"] + p["slope"] * T, p["sigma"]),
                stats.norm.logpdf(LINE, 0.0, p["wide"]),
            ],
            1,
        ),
    ),
)

_which = np.arange(160) % 2
T2 = np.linspace(-2, 2, 160)
CROSSED = np.where(_which == 0, 1 + 2 * T2, -1 - T2) + 0.5 * _rng.normal(size=160)


def regressions(t, y):
    weights = shares()
    with numpyro.plate("components", 2):
        a = numpyro.sample("a", dist.Normal(0.0, 5.0))
        b = numpyro.sample("b", dist.Normal(0.0, 5.0))
        sigma = numpyro.sample("sigma", dist.LogNormal(0.0, 1.0))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal(a[z] + b[z] * t, sigma[z]), obs=y)


add(
    "a mixture of regressions",
    regressions,
    (T2, CROSSED),
    lambda p: mixed(
        p["weights"],
        stats.norm.logpdf(CROSSED[:, None], p["a"] + p["b"] * T2[:, None], p["sigma"]),
    ),
)

_life = _rng.exponential(np.where(np.arange(200) < 120, 1.0, 8.0))
TIMES, DIED = np.minimum(_life, 10.0), _life < 10.0


def lifetimes(time, died):
    """Of those alive at the end only the survival function is known: a factor for each row."""
    weights = shares()
    with numpyro.plate("components", 2):
        rate = numpyro.sample("rate", dist.Gamma(1.5, 1.0))
    with numpyro.plate("patients", time.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        fn = dist.Exponential(rate[z])
        numpyro.factor("time", jnp.where(died, fn.log_prob(time), -rate[z] * time))


add(
    "censored lifetimes of two classes, by factor",
    lifetimes,
    (TIMES, DIED),
    lambda p: mixed(p["weights"], DIED[:, None] * np.log(p["rate"]) - p["rate"] * TIMES[:, None]),
)


# ---- answers ------------------------------------------------------------------------------------

ANSWERS = (_rng.random((150, 6)) < np.where(np.arange(150)[:, None] < 80, 0.8, 0.25)).astype(int)


def latent_classes(y):
    weights = shares()
    with numpyro.plate("items", 6, dim=-1), numpyro.plate("classes", 2, dim=-2):
        p = numpyro.sample("p", dist.Beta(2.0, 2.0))
    with numpyro.plate("people", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Bernoulli(p[z]).to_event(1), obs=y)


add(
    "latent classes of binary items",
    latent_classes,
    (ANSWERS,),
    lambda p: mixed(p["weights"], stats.bernoulli.logpmf(ANSWERS[:, None], p["p"]).sum(2)),
)

_ability = np.where(np.arange(150) < 80, -1.0, 1.2)
_latent = _ability[:, None] + _rng.logistic(size=(150, 4))
GRADES = (_latent > -0.5).astype(int) + (_latent > 1.0)


def ordinal(y):
    """Ordered answers of two classes."""
    weights = shares()
    with numpyro.plate("classes", 2):
        level = numpyro.sample("level", dist.Normal(0.0, 2.0))
    gap = numpyro.sample("gap", dist.LogNormal(0.0, 0.5))
    with numpyro.plate("people", y.shape[0], dim=-2):
        z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("items", y.shape[1]):
            cuts = jnp.stack([jnp.zeros(()), gap])
            numpyro.sample("y", dist.OrderedLogistic(level[z], cuts), obs=y)


def ordinal_likelihood(p):
    upper = special.expit(np.array([0.0, float(p["gap"])])[:, None] - p["level"])
    probs = np.diff(np.concatenate([np.zeros((1, 2)), upper, np.ones((1, 2))]), axis=0)
    return mixed(p["weights"], np.log(probs[GRADES]).sum(1))


add("ordered answers of two classes", ordinal, (GRADES,), ordinal_likelihood)


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_way(name):
    model, data, likelihood = MODELS[name]
    fit = em.EM(model).run(KEY, *data)
    assert fit.status.ok, fit.message
    params = {n: np.asarray(v) for n, v in fit.params.items()}
    assert fit.log_likelihood == pytest.approx(likelihood(params), rel=1e-8)
    table = fit.summary()
    assert np.isfinite(table["estimate"]).all()
    draws = inference.run_nuts(fit, KEY, num_warmup=200, num_samples=200, num_chains=2)
    for name_ in fit.params:
        assert np.isfinite(draws.posterior[name_]).all()
    # The density that was sampled is the one written by hand: the rows' sum at a draw.
    own = {n: np.asarray(draws.posterior[n])[0, -1] for n in fit.params}
    by_row = draws.log_likelihood.to_dataset().isel(chain=0, draw=-1)
    total = sum(float(v.sum()) for v in by_row.data_vars.values())
    if "factor" not in name and "capture" not in name:
        assert total == pytest.approx(likelihood(own), rel=1e-8)
    report = inference.cross_check(fit, nuts=draws)
    assert len(report.table) > 0
    assert np.isfinite(report.table.select_dtypes("number").to_numpy()).any()
