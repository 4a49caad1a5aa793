"""Mixtures of regressions against SciPy: the observed-data likelihood written out and maximised."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import interpolate, optimize, special, stats

from mixpyro import em, models

KEY = jax.random.key(0)
CLOSED, STATISTICS, ROWS = "closed form", "numeric, on statistics", "numeric, on rows"
N, P = 300, 2
RNG = np.random.default_rng(8)
X = np.column_stack([np.ones(N), RNG.uniform(-2, 2, N)])
Z = (RNG.random(N) < 0.6).astype(int)
OFFSET = RNG.uniform(-0.5, 0.5, N)
NOISE = RNG.standard_normal(N)
LINES = np.array([[0.0, 2.0], [1.0, -2.0]])
Y = (X * LINES[Z]).sum(1) + np.array([0.4, 0.8])[Z] * NOISE

pytestmark = pytest.mark.usefixtures("x64")


def rungs(fit):
    return {name: block.m_step for block in fit.spec.blocks for name in block.parameters}


def mixture(log_weights, conditional):
    return special.logsumexp(log_weights + conditional, axis=-1)


def check_maximum(fit, log_likelihood, theta, starts=()):
    """The fit is where it says, rose all the way, and SciPy finds nothing higher near or far."""
    assert fit.status is em.Status.CONVERGED, fit.message
    assert np.all(np.diff(fit.trace) >= -1e-9 * abs(fit.log_likelihood))
    # JAX's betaln, behind the negative binomial, is good to eight digits.
    assert log_likelihood(theta) == pytest.approx(fit.log_likelihood, rel=1e-7)
    for start in (theta, *starts):
        found = optimize.minimize(lambda t: -log_likelihood(t), start, jac="3-point", method="BFGS")
        assert -found.fun < log_likelihood(theta) + 1e-5
    slope = optimize.approx_fprime(theta, log_likelihood, 1e-6)
    np.testing.assert_allclose(slope, 0, atol=2e-2)  # a thousandth of a standard error, or less
    return found


# ---- linear regressions: weighted least squares on statistics ----------------------------------


def lines(
    x, y, num_components=2, *, tied_scale=False, common_slope=False, offset=0.0, weights=None
):
    w = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        flat = dist.Normal(0, 5).expand([1 if common_slope else x.shape[1]]).to_event(1)
        beta = numpyro.sample("beta", flat)
        if not tied_scale:
            scale = numpyro.sample("scale", dist.HalfNormal(1))
    if common_slope:
        slope = numpyro.sample("slope", dist.Normal(0, 5).expand([x.shape[1] - 1]).to_event(1))
    if tied_scale:
        scale = numpyro.sample("scale", dist.HalfNormal(1))
    scaled = handlers.scale(scale=1.0 if weights is None else weights)
    with numpyro.plate("rows", x.shape[0]), scaled:
        z = numpyro.sample("z", dist.Categorical(w))
        shared = x[:, 1:] @ slope if common_slope else 0.0
        mean = (x[:, : beta.shape[1]] * beta[z]).sum(-1) + shared
        noise = scale if tied_scale else scale[z]
        numpyro.sample("y", dist.Normal(offset + mean, noise), obs=y)


def line_likelihood(x, y, unpack, offset=0.0):
    """log L of theta = (logit of the first weight, the rest as ``unpack`` -> (beta, scale))."""

    def log_likelihood(theta):
        beta, scale = unpack(theta[1:])
        log_weights = special.log_softmax([theta[0], 0.0])
        mean = np.reshape(offset, (-1, 1)) + x @ beta.T
        return mixture(log_weights, stats.norm.logpdf(y[:, None], mean, scale)).sum()

    return log_likelihood


def pack(fit, *names, logs=("scale",)):
    p = {n: np.asarray(v) for n, v in fit.params.items()}
    parts = [np.log(p["weights"][:1] / p["weights"][1:])]
    return np.concatenate(parts + [np.ravel(np.log(p[n]) if n in logs else p[n]) for n in names])


def free(theta, p=P):
    return theta[: 2 * p].reshape(2, p), np.exp(theta[2 * p :])


@functools.cache
def plain():
    """The regressions of Y on X, free in everything."""
    return em.EM(lines).run(KEY, X, Y)


def same_fit(found, expected, tolerance=1e-7):
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=tolerance)
    order = [0, 1]
    if abs(found.params["weights"][0] - expected.params["weights"][0]) > 0.05:
        order = [1, 0]
    for name, value in expected.params.items():
        np.testing.assert_allclose(
            found.params[name][np.array(order)], value, rtol=2e-4, atol=2e-5, err_msg=name
        )


def test_crossing_lines_are_least_squares_and_the_best_there_is():
    fit = plain()
    assert fit.spec.closed_form
    truth = np.concatenate([[np.log(0.4 / 0.6)], LINES.ravel(), np.log([0.4, 0.8])])
    check_maximum(fit, line_likelihood(X, Y, free), pack(fit, "beta", "scale"), [truth])
    # At the end each line is the least squares fit of all rows, weighted by responsibility.
    resp = np.asarray(fit.responsibilities())
    for k in range(2):
        root = np.sqrt(resp[:, k])
        beta = np.linalg.lstsq(X * root[:, None], Y * root, rcond=None)[0]
        np.testing.assert_allclose(fit.params["beta"][k], beta, atol=1e-5)


@pytest.mark.slow
def test_a_tied_scale():
    fit = em.EM(lines).run(KEY, X, Y, tied_scale=True)
    assert fit.spec.closed_form
    truth = np.concatenate([[np.log(0.4 / 0.6)], LINES.ravel(), [np.log(0.6)]])
    check_maximum(fit, line_likelihood(X, Y, free), pack(fit, "beta", "scale"), [truth])


@pytest.mark.slow
def test_a_slope_that_the_components_share():
    y = X @ [0.0, 1.5] + 3.0 * Z + np.array([0.4, 0.8])[Z] * NOISE
    fit = em.EM(lines).run(KEY, X, y, common_slope=True)
    assert fit.spec.closed_form

    def unpack(theta):
        return np.column_stack([theta[:2], np.full(2, theta[2])]), np.exp(theta[3:])

    truth = np.array([np.log(0.4 / 0.6), 0.0, 3.0, 1.5, np.log(0.4), np.log(0.8)])
    theta = pack(fit, "beta", "slope", "scale")
    check_maximum(fit, line_likelihood(X, y, unpack), theta, [truth])
    assert fit.num_free_params == 1 + 2 + 1 + 2


@pytest.mark.slow
def test_a_slope_held_fixed_is_an_offset():
    y = X @ [0.0, 1.5] + 3.0 * Z + np.array([0.4, 0.8])[Z] * NOISE
    held = handlers.condition(lines, {"slope": jnp.array([1.5])})
    fit = em.EM(held).run(KEY, X, y, common_slope=True)
    assert fit.spec.closed_form
    assert float(fit.params["slope"][0]) == 1.5
    assert fit.num_free_params == 1 + 2 + 2

    def unpack(theta):
        return theta[:2, None], np.exp(theta[2:])

    given = line_likelihood(X[:, :1], y, unpack, offset=1.5 * X[:, 1])
    truth = np.array([np.log(0.4 / 0.6), 0.0, 3.0, np.log(0.4), np.log(0.8)])
    check_maximum(fit, given, pack(fit, "beta", "scale"), [truth])


@pytest.mark.slow
def test_an_offset_is_taken_from_the_response():
    offset = 1000 * OFFSET
    fit = em.EM(lines).run(KEY, X, Y + offset, offset=jnp.asarray(offset))
    assert fit.spec.closed_form
    same_fit(fit, plain())


@pytest.mark.slow
def test_units_do_not_matter():
    fit = em.EM(lines).run(KEY, X * [1e-5, 1e6], 1e4 * Y)
    assert fit.spec.closed_form
    assert fit.status.ok
    assert fit.log_likelihood == pytest.approx(plain().log_likelihood - N * np.log(1e4), rel=1e-9)
    units = np.array([1e-5, 1e6]) / 1e4
    mine, theirs = np.asarray(fit.params["beta"]) * units, np.asarray(plain().params["beta"])
    if abs(mine[0, 1] - theirs[0, 1]) > 1:
        mine = mine[::-1]
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_collinear_columns_give_the_same_lines_and_say_so():
    doubled = np.column_stack([X, X[:, 1] - 2 * X[:, 0]])
    fit = em.EM(lines).run(KEY, doubled, Y)
    assert fit.status is em.Status.NOT_IDENTIFIED
    assert fit.log_likelihood == pytest.approx(plain().log_likelihood, rel=1e-9)
    ours, theirs = doubled @ fit.params["beta"].T, X @ plain().params["beta"].T
    if abs(fit.params["weights"][0] - plain().params["weights"][0]) > 0.05:
        ours = ours[:, ::-1]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.slow
def test_a_missing_response_leaves_its_row_out():
    gone = np.arange(N) % 10 == 3
    fit = em.EM(lines).run(KEY, X, np.where(gone, np.nan, Y))
    fewer = em.EM(lines).run(KEY, X[~gone], Y[~gone])
    # Rows without a response say nothing of the lines, and their class is as likely as ever.
    same_fit(fit, fewer)
    np.testing.assert_allclose(fit.log_prob()[gone], 0, atol=1e-12)


@pytest.mark.slow
def test_weights_are_repetitions():
    times = np.arange(N) % 3 + 1
    weighted = em.EM(lines).run(KEY, X, Y, weights=times)
    repeated = em.EM(lines).run(KEY, np.repeat(X, times, 0), np.repeat(Y, times))
    same_fit(weighted, repeated)
    np.testing.assert_allclose(weighted.bic, repeated.bic, rtol=1e-9)
    mine = np.sort(np.asarray(weighted.standard_errors()["beta"]).ravel())
    np.testing.assert_allclose(
        mine, np.sort(np.asarray(repeated.standard_errors()["beta"]).ravel()), rtol=1e-3
    )


@pytest.mark.slow
def test_splines_are_columns():
    knots = np.r_[[-2.0] * 4, 0.0, [2.0] * 4]
    basis = interpolate.BSpline.design_matrix(X[:, 1], knots, 3).toarray()
    curves = np.stack([np.sin(2 * X[:, 1]), 4 + X[:, 1] ** 2], 1)
    y = np.take_along_axis(curves, Z[:, None], 1)[:, 0] + 0.3 * NOISE
    fit = em.EM(lines).run(KEY, basis, y)
    assert fit.spec.closed_form
    p = basis.shape[1]
    log_likelihood = line_likelihood(basis, y, functools.partial(free, p=p))
    check_maximum(fit, log_likelihood, pack(fit, "beta", "scale"))
    order = np.argsort(fit.params["beta"].mean(1))
    away = basis @ fit.params["beta"][order].T - curves
    assert np.sqrt((away**2).mean()) < 0.15


@pytest.mark.slow
def test_single_precision_far_from_zero():
    expected = plain().log_likelihood
    with jax.enable_x64(False):
        near = em.EM(lines).run(KEY, X.astype("f4"), Y.astype("f4"))
        assert near.status.ok
        assert near.log_likelihood == pytest.approx(expected, rel=1e-5)
        far = np.column_stack([X[:, 0], 1000 + X[:, 1]]).astype("f4")
        moved = em.EM(lines).run(KEY, far, Y.astype("f4"))
        assert moved.log_likelihood == pytest.approx(expected, rel=1e-3)


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


# ---- covariates of the class -----------------------------------------------------------------


def class_log_weights(theta, x):
    return special.log_softmax(np.column_stack([np.zeros(len(x)), x @ theta]), axis=1)


@pytest.mark.slow
def test_mixture_of_experts():
    (example,) = models.examples(models.mixture_of_experts)
    y, x = np.asarray(example.simulate(KEY)["y"]), example.kwargs["covariates"]
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
    y, x = np.asarray(example.simulate(KEY)["y"]), example.kwargs["covariates"]
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
