"""What is understood of a model, and that every way of writing one mixture gives one answer.

The answers come from EM written in NumPy below, from SciPy's optimisers, and from sums over all
assignments.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from numpyro import handlers
from numpyro.distributions import constraints
from scipy import optimize, special, stats

from mixpyro import em

pytestmark = pytest.mark.usefixtures("x64")

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


# ---- one mixture, written in many ways ----------------------------------------------------------


def plain(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def enumerated(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def logits(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(logits=jnp.log(weights)))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def without_plate(x):
    weights, loc, scale = declare()
    z = numpyro.sample("z", dist.Categorical(weights).expand([x.shape[0]]))
    numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def second_dimension(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0], dim=-2):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x[:, None])


def params_only(x):
    weights = numpyro.param("weights", jnp.array([0.5, 0.5]), constraint=constraints.simplex)
    loc = numpyro.param("loc", jnp.zeros(2))
    scale = numpyro.param("scale", jnp.ones(2), constraint=constraints.positive)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def one_hot(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        indicator = jax.nn.one_hot(z, 2)
        numpyro.sample("x", dist.Normal(indicator @ loc, indicator @ scale), obs=x)


@pytest.mark.parametrize(
    "model", [plain, enumerated, without_plate, second_dimension, params_only, one_hot]
)
def test_one_mixture_written_in_many_ways_has_one_answer(model):
    fit = run(model, X[:, 0])
    assert_answer(fit, answer())
    assert (fit.spec.latent, fit.spec.num_components, fit.spec.num_rows) == ("z", 2, N)
    assert fit.spec.closed_form
    assert sources(fit, "x") == {"loc": "loc[z]", "scale": "scale[z]"}
    assert fit.num_free_params == 1 + 2 + 2


def test_the_spec_prints_what_was_understood():
    text = str(run(plain, X[:, 0]).spec)
    assert "Mixture of 2 components over 30 rows" in text
    assert "z ~ Categorical, not observed" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["weights", "(2,)", "simplex", "1"] in lines
    assert ["scale", "(2,)", "positive", "2"] in lines
    assert ["x", "Normal", "loc", "=", "loc[z],", "scale", "=", "scale[z]"] in lines
    assert ["loc,", "scale", "closed", "form"] in lines


def test_a_spec_is_hashable_and_equal_for_equal_models():
    first, second = run(plain, X[:, 0]).spec, run(plain, X[:, 1]).spec
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.slow
def test_logits_of_z():
    fit = run(logits, X[:, 0])
    assert_answer(fit, answer())
    assert fit.num_free_params == 5


def test_one_free_logit_of_z():
    def model(x):
        logit = numpyro.sample("logit", dist.Normal(0, 2))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        scale = numpyro.sample("scale", dist.HalfNormal(3).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(logits=jnp.stack([0.0, logit])))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)

    fit = run(model, X[:, 0])
    expected = answer()
    assert_answer(fit, expected, ("loc", "scale"))
    close(special.expit(fit.params["logit"]), expected["weights"][1])
    assert rungs(fit) == {("logit",): STATISTICS, ("loc", "scale"): CLOSED}
    assert fit.num_free_params == 5


@pytest.mark.parametrize("kind", ["stack", "where", "logits"])
def test_bernoulli_z_with_scalar_sites(kind):
    def model(x):
        pi = numpyro.sample("pi", dist.Beta(1, 1))
        p = numpyro.sample("p", dist.Normal(0, 5))
        q = numpyro.sample("q", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3).expand([2]))
        given = {"logits": special_logit(pi)} if kind == "logits" else {"probs": pi}
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Bernoulli(**given))
            loc = jnp.where(z == 1, q, p) if kind == "where" else jnp.stack([p, q])[z]
            numpyro.sample("x", dist.Normal(loc, scale[z]), obs=x)

    fit = run(model, X[:, 0])
    expected = answer()
    assert_answer(fit, expected, ("scale",))
    close(fit.params["pi"], expected["weights"][1])
    close([fit.params["p"], fit.params["q"]], expected["loc"])
    assert fit.spec.latent_distribution == "Bernoulli"
    assert fit.num_free_params == 1 + 1 + 1 + 2
    if kind != "logits":
        assert fit.spec.closed_form
        assert sources(fit, "z") == {"probs": "pi"}


def special_logit(p):
    return jnp.log(p) - jnp.log1p(-p)


# ---- shapes -------------------------------------------------------------------------------------


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


# ---- tied and fixed -----------------------------------------------------------------------------


def tied(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
    scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


def test_a_shared_scale_is_counted_once():
    fit = run(tied, X[:, 0])
    expected = answer(tie_scale=True)
    assert_answer(fit, expected, ("weights", "loc"))
    close(fit.params["scale"], expected["scale"][0])
    assert fit.spec.closed_form
    assert sources(fit, "x") == {"loc": "loc[z]", "scale": "scale"}
    assert fit.num_free_params == 1 + 2 + 1


def test_a_part_of_an_argument_is_fixed():
    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        mu = numpyro.sample("mu", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(jnp.array([0.0, mu])[z], scale[z]), obs=x)

    fit = run(model, X[:, 0])
    expected = reference(X[:, :1], loc=np.array([[0.0], [np.nan]]))
    assert_answer(fit, expected, ("weights", "scale"))
    close(fit.params["mu"], expected["loc"][1])
    assert fit.spec.closed_form
    assert "fixed in part" in sources(fit, "x")["loc"]
    assert fit.num_free_params == 1 + 1 + 2


@pytest.mark.parametrize("hold", [handlers.condition, handlers.substitute])
def test_a_parameter_held_fixed_by_a_handler(hold):
    fit = run(hold(tied, {"scale": 1.25}), X[:, 0])
    expected = answer(scale=1.25)
    assert_answer(fit, expected, ("weights", "loc"))
    close(fit.params["scale"], 1.25)
    assert fit.num_free_params == 1 + 2
    assert ["scale", "()", "positive", "fixed"] in [s.split() for s in str(fit.spec).splitlines()]


@pytest.mark.parametrize("hold", [handlers.condition, handlers.substitute])
def test_fixed_weights(hold):
    fit = run(hold(plain, {"weights": jnp.array([0.5, 0.5])}), X[:, 0])
    assert_answer(fit, answer(weights=(0.5, 0.5)))
    assert fit.num_free_params == 4


def test_everything_fixed_is_the_e_step_alone():
    given = {
        "weights": jnp.array([0.6, 0.4]),
        "loc": jnp.array([0.0, 2.0]),
        "scale": jnp.array([1.0, 0.5]),
    }
    fit = em.EM(handlers.condition(plain, given)).run(KEY, X[:, 0])
    joint = np.log([0.6, 0.4]) + stats.norm.logpdf(X[:, :1], [0.0, 2.0], [1.0, 0.5])
    total = special.logsumexp(joint, axis=1)
    assert fit.log_likelihood == pytest.approx(total.sum(), abs=1e-9)
    np.testing.assert_allclose(fit.responsibilities(), np.exp(joint - total[:, None]), atol=1e-9)
    assert fit.num_free_params == 0
    assert set(fit.params) == set(given)
    assert fit.status.ok
    assert fit.standard_errors()["loc"].mask.all()
    assert set(fit.summary()["note"]) == {"fixed"}


# ---- functions of parameters --------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3, 4, 5])
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


# ---- families without a closed form -------------------------------------------------------------


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


# ---- arguments ----------------------------------------------------------------------------------


def with_options(x, offset, num_components=3, *, spread=1.0, label=None):
    weights, loc, scale = declare(num_components)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(offset + loc[z], spread * scale[z]), obs=x)


def test_positional_keyword_and_default_arguments():
    x = X[:, 0]
    fits = [
        run(with_options, x, 1.5, 2, spread=2.0),
        run(with_options, x, num_components=2, offset=1.5, spread=2.0, label="a name"),
    ]
    expected = answer()
    for fit in fits:
        assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-6)
        close(fit.params["loc"], expected["loc"][:, 0] - 1.5)
        close(fit.params["scale"], expected["scale"][:, 0] / 2)
    third = np.full((N, 3), 1 / 3) + np.eye(3)[np.arange(N) % 3]
    partial = functools.partial(with_options, offset=1.5, spread=2.0)
    fit = run(partial, x, start=third)
    assert fit.spec.num_components == 3
    expected = reference(x[:, None], third / third.sum(1, keepdims=True))
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-4)


@pytest.mark.parametrize("kind", ["series", "int32 frame column", "float32"])
def test_data_of_other_kinds(kind):
    x = np.round(X[:, 0] * 4)
    given = {
        "series": pd.Series(x, index=np.arange(N) + 100),
        "int32 frame column": pd.DataFrame({"a": x.astype(np.int32)})["a"],
        "float32": x.astype(np.float32),
    }[kind]
    fit = run(plain, given)
    expected = reference(x[:, None])
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], rel=1e-6)
    close(fit.params["loc"], expected["loc"])


OFFSET = jnp.zeros(N)
FACTOR = 1.0
TABLE = {"offset": jnp.zeros(N)}


def _from_helper():
    return OFFSET


def reads_global_array(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - OFFSET)


def reads_global_number(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - 3.0 * FACTOR)


def reads_global_through_helper(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - _from_helper())


def reads_global_table(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - TABLE["offset"])


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        (reads_global_array, "OFFSET", jnp.full(N, 3.0)),
        (reads_global_number, "FACTOR", 2.0),
        (reads_global_through_helper, "OFFSET", jnp.full(N, 3.0)),
        (reads_global_table, "TABLE", {"offset": jnp.full(N, 3.0)}),
    ],
)
def test_rebinding_a_global_gives_a_new_answer(model, name, value, monkeypatch):
    x = X[:, 0]
    before = run(model, x)
    monkeypatch.setitem(model.__globals__, name, value)
    after = run(model, x)
    np.testing.assert_allclose(after.params["loc"], before.params["loc"] - 3.0, atol=1e-5)


def test_a_closure_over_an_array_and_a_new_closure():
    def make(offset):
        def model(x):
            weights, loc, scale = declare()
            with numpyro.plate("rows", x.shape[0]):
                z = numpyro.sample("z", dist.Categorical(weights))
                numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - offset)

        return model

    for offset in (np.full(N, 1.0), np.full(N, 4.0)):
        fit = run(make(offset), X[:, 0])
        close(fit.params["loc"], answer()["loc"][:, 0] - offset[0])


def test_a_nonlocal_array_that_is_rebound():
    offset = np.full(N, 1.0)

    def model(x):
        weights, loc, scale = declare()
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - offset)

    before = run(model, X[:, 0])
    offset = np.full(N, 4.0)
    after = run(model, X[:, 0])
    np.testing.assert_allclose(after.params["loc"], before.params["loc"] - 3.0, atol=1e-5)


# ---- z used in other ways: refused, or right ----------------------------------------------------

M = 6
GROUPS = np.array([0, 0, 1, 1, 2, 2])
PERMUTED = np.array([2, 0, 1, 5, 3, 4])
SMALL = np.array([0.1, -0.4, 1.9, 2.2, 0.3, 2.6])
WEIGHTS = np.array([0.55, 0.45])


def _cell(mean):
    """A model of ``SMALL`` whose mean is ``mean(loc, z)``; z has one value for each of rows."""

    def model(x, num_latent):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("latent", num_latent):
            z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("latent" if num_latent == len(x) else "rows", len(x)):
            numpyro.sample("x", dist.Normal(mean(loc, z), 1.0), obs=x)

    return model


CASES = {
    "groups": (3, lambda loc, z: loc[z[GROUPS]]),
    "groups, after indexing": (3, lambda loc, z: loc[z][GROUPS]),
    "groups, by a matrix": (3, lambda loc, z: jnp.eye(3)[GROUPS] @ loc[z]),
    "permuted": (M, lambda loc, z: loc[z[PERMUTED]]),
    "permuted after indexing": (M, lambda loc, z: loc[z][PERMUTED]),
    "reversed": (M, lambda loc, z: loc[z[::-1]]),
    "rolled": (M, lambda loc, z: loc[jnp.roll(z, 1)]),
    "neighbours": (M, lambda loc, z: (loc[z] + loc[jnp.roll(z, 1)]) / 2),
    "sum": (M, lambda loc, z: loc[z] + 0.1 * z.sum()),
    "mean of the indexed": (M, lambda loc, z: loc[z] + 0.1 * loc[z].mean()),
    "largest": (M, lambda loc, z: loc[z] + 0.1 * z.max()),
    "smoothed by a matrix": (
        M,
        lambda loc, z: (0.9 * jnp.eye(M) + 0.1 * jnp.ones((M, M)) / M) @ loc[z],
    ),
    "cumulative": (M, lambda loc, z: loc[z] + 0.1 * jnp.cumsum(z)),
    "sorted": (M, lambda loc, z: loc[jnp.sort(z)]),
    "counted": (M, lambda loc, z: loc[z] + 0.1 * jnp.bincount(z, length=2)[1]),
    "first row": (M, lambda loc, z: loc[z] + 0.1 * z[0]),
    "reshaped": (M, lambda loc, z: loc[z.reshape(2, 3).T.reshape(-1)]),
}


def _sum_over_all_assignments(num_latent, mean, locs):
    terms = []
    for z in itertools.product((0, 1), repeat=num_latent):
        z = np.array(z)
        density = stats.norm.logpdf(SMALL, np.asarray(mean(locs, jnp.asarray(z))), 1)
        terms.append(np.log(WEIGHTS)[z].sum() + density.sum())
    posterior = np.exp(terms - special.logsumexp(terms))
    ones = posterior @ list(itertools.product((0, 1), repeat=num_latent))
    return special.logsumexp(terms), np.column_stack([1 - ones, ones])


@pytest.mark.parametrize("name", CASES)
def test_z_used_across_rows_is_refused_or_right(name):
    num_latent, mean = CASES[name]
    held = handlers.condition(_cell(mean), {"weights": jnp.asarray(WEIGHTS)})
    refusal = fit = None
    try:
        fit = em.EM(held, max_steps=3).run(
            KEY, SMALL, num_latent, init_params={"loc": np.array([0.0, 2.0])}
        )
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        assert "'z'" in refusal or "'x'" in refusal
        return
    expected, posterior = _sum_over_all_assignments(num_latent, mean, fit.params["loc"])
    assert fit.log_likelihood == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(fit.responsibilities(), posterior, atol=1e-6)


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
