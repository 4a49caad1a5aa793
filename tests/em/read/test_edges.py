"""A class whose argument is exactly 0 (``p * z``): fits, errors, derivatives of every order."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import xlogy
from numpyro import handlers
from scipy import optimize, stats
from scipy.special import expit

from mixpyro import em
from mixpyro.em.families._family import safe_log
from mixpyro.em.read import edges

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
TRIALS = 5


def occupancy(y, trials):
    psi = numpyro.sample("psi", dist.Beta(1, 1))
    p = numpyro.sample("p", dist.Beta(1, 1))
    with numpyro.plate("sites", y.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(psi))
        numpyro.sample("y", dist.Binomial(trials, p * z), obs=y)


def occupancy_by_site(y, x, trials):
    psi = numpyro.sample("psi", dist.Normal(0, 2).expand([2]).to_event(1))
    p = numpyro.sample("p", dist.Normal(0, 2).expand([2]).to_event(1))
    with numpyro.plate("sites", y.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(logits=psi[0] + psi[1] * x[:, 0]))
        chance = jax.nn.sigmoid(p[0] + p[1] * x[:, 1])
        numpyro.sample("y", dist.Binomial(trials, z * chance), obs=y)


def zero_inflated(y):
    psi = numpyro.sample("psi", dist.Beta(1, 1))
    rate = numpyro.sample("rate", dist.Gamma(2, 1))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(psi))
        numpyro.sample("y", dist.Poisson(z * rate), obs=y)


def zero_inflated_negative_binomial(y):
    psi = numpyro.sample("psi", dist.Beta(1, 1))
    mean = numpyro.sample("mean", dist.Gamma(2, 1))
    size = numpyro.sample("size", dist.Gamma(2, 1))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(psi))
        numpyro.sample("y", dist.NegativeBinomial2(z * mean, size), obs=y)


def zero_inflated_by_row(y, x):
    psi = numpyro.sample("psi", dist.Beta(1, 1))
    slope = numpyro.sample("slope", dist.Normal(0, 2).expand([2]).to_event(1))
    size = numpyro.sample("size", dist.Gamma(2, 1))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(psi))
        mean = z * jnp.exp(slope[0] + slope[1] * x[:, 1])
        numpyro.sample("y", dist.NegativeBinomial2(mean, size), obs=y)


def inflated(psi, log_density, y):
    """``sum log(psi f(y) + (1 - psi) [y = 0])``."""
    return np.log(psi * np.exp(log_density) + (1 - psi) * (y == 0)).sum()


def negative_binomial(y, mean, size):
    return stats.nbinom.logpmf(y, size, size / (size + mean))


@functools.cache
def cases():
    """{name: (model, data, log likelihood of a vector, the vector's sites in order)}."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 2))
    z = rng.random(150) < 0.6
    by_site = rng.random(150) < expit(0.5 - x[:, 0])
    y = rng.binomial(TRIALS, 0.4 * z)
    y_by_site = rng.binomial(TRIALS, expit(0.3 + 0.8 * x[:, 1]) * by_site)
    counts = rng.poisson(3.0 * z)
    over = rng.poisson(rng.gamma(2.0, 2.0, 150) * z)
    by_row = rng.poisson(rng.gamma(2.0, np.exp(1 + 0.5 * x[:, 1]) / 2.0) * z)
    return {
        "occupancy": (
            occupancy,
            (y, TRIALS),
            lambda v: inflated(v[0], stats.binom.logpmf(y, TRIALS, v[1]), y),
            ("psi", "p"),
        ),
        "occupancy by site": (
            occupancy_by_site,
            (y_by_site, x, TRIALS),
            lambda v: inflated(
                expit(v[0] + v[1] * x[:, 0]),
                stats.binom.logpmf(y_by_site, TRIALS, expit(v[2] + v[3] * x[:, 1])),
                y_by_site,
            ),
            ("psi", "p"),
        ),
        "Poisson": (
            zero_inflated,
            (counts,),
            lambda v: inflated(v[0], stats.poisson.logpmf(counts, v[1]), counts),
            ("psi", "rate"),
        ),
        "negative binomial": (
            zero_inflated_negative_binomial,
            (over,),
            lambda v: inflated(v[0], negative_binomial(over, v[1], v[2]), over),
            ("psi", "mean", "size"),
        ),
        "negative binomial by row": (
            zero_inflated_by_row,
            (by_row, x),
            lambda v: inflated(
                v[0], negative_binomial(by_row, np.exp(v[1] + v[2] * x[:, 1]), v[3]), by_row
            ),
            ("psi", "slope", "size"),
        ),
    }


@functools.cache
def fitted(name):
    model, data, *_ = cases()[name]
    arrays = [jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in data]
    return em.EM(model, num_restarts=2, tolerance=1e-11).run(KEY, *arrays)


def flat(values, names):
    return np.concatenate([np.ravel(values[n]) for n in names])


def hessian(function, at, step=1e-3):
    """Central differences, extrapolated once to a step of 0 (Richardson)."""

    def plain(h):
        eye = h * np.eye(len(at))
        corners = [
            [function(at + a + b) - function(at + a - b) for b in eye] for a in (*eye, *-eye)
        ]
        plus, minus = np.split(np.array(corners), 2)
        return (plus - minus) / (4 * h**2)

    return (4 * plain(step / 2) - plain(step)) / 3


# Of each kind (closed, numeric with covariates, two parameters) one is fast.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.slow] * (n in ("Poisson", "negative binomial by row")))
        for n in cases()
    ],
)
def test_estimates_and_errors_are_those_of_the_likelihood_written_out(name):
    fit, (*_, log_likelihood, names) = fitted(name), cases()[name]
    assert fit.status.ok, fit.message
    estimate = flat(fit.params, names)
    best = optimize.minimize(
        lambda v: -log_likelihood(v),
        estimate * 0.9 + 0.01,
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 20_000, "maxfev": 20_000},
    )
    close = 3e-8 if "row" in name else 1e-10  # JAX's betaln, in NumPyro's density
    assert fit.log_likelihood == pytest.approx(log_likelihood(estimate), rel=close)
    assert log_likelihood(estimate) == pytest.approx(-best.fun, abs=1e-7)
    np.testing.assert_allclose(estimate, best.x, rtol=1e-4)
    errors = np.sqrt(np.diagonal(np.linalg.inv(-hessian(log_likelihood, estimate))))
    np.testing.assert_allclose(flat(fit.standard_errors(), names), errors, rtol=2e-5)
    assert (fit.summary().note == "").all()
    # The scores replay NumPyro's own densities.
    assert np.isfinite(flat(fit.standard_errors("sandwich"), names)).all()


def test_single_precision_has_errors_too():
    expected = flat(fitted("occupancy").standard_errors(), ("psi", "p"))
    with jax.enable_x64(False):
        fit = em.EM(occupancy, num_restarts=2).run(KEY, jnp.asarray(cases()["occupancy"][1][0]), 5)
        assert fit.status.ok, fit.message
        errors = flat(fit.standard_errors(), ("psi", "p"))
    np.testing.assert_allclose(errors, expected, rtol=2e-3)


def test_a_parameter_at_the_edge_is_still_named():
    """No site was ever seen: p is 0 itself, and psi is not determined."""
    fit = em.EM(occupancy, num_restarts=2).run(KEY, jnp.zeros(40, int), TRIALS)
    notes = fit.summary().note
    assert not fit.status.ok or "boundary" in set(notes)
    assert (notes != "").all()
    seen = em.EM(occupancy, num_restarts=1).run(
        KEY, jnp.full(40, TRIALS), TRIALS, init_params={"psi": 0.5, "p": 0.5}
    )
    assert (seen.summary().note == "boundary").all()
    assert seen.log_likelihood == pytest.approx(0, abs=1e-6)


def derivative(function, order):
    for _ in range(order):
        function = jax.grad(function)
    return function


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize(
    "density",
    [
        lambda p, y: dist.Binomial(TRIALS, p).log_prob(y),
        lambda p, y: dist.Bernoulli(p).log_prob(y > 0),
        lambda p, y: dist.Poisson(3 * p).log_prob(y),
        lambda p, y: dist.NegativeBinomial2(2 * p, 1.5).log_prob(y),
        lambda p, y: dist.Multinomial(TRIALS, jnp.stack([p, 1 - p])).log_prob(
            jnp.stack([y, TRIALS - y])
        ),
        lambda p, y: xlogy(y, p) + jnp.log1p(-p),
    ],
)
def test_derivatives_at_an_argument_of_exactly_0(density, order):
    """Where z = 0 the density is constant; where z = 1 it is as JAX differentiates it."""

    def scored(p, z, y):
        return edges.differentiable(lambda p: density(p * z, y), p)

    slope = jax.jit(derivative(scored, order))
    for y in (0.0, 2.0):
        assert slope(0.3, 0.0, y) == 0
        expected = derivative(lambda p, y=y: density(p, y), order)(0.3)
        np.testing.assert_allclose(slope(0.3, 1.0, y), expected, rtol=1e-10)
    value = scored(0.3, 0.0, 2.0)
    np.testing.assert_allclose(value, density(jnp.zeros(()), 2.0), rtol=0)


@pytest.mark.parametrize("order", [2, 4])
def test_safe_log_is_constant_at_0(order):
    def scored(p, z):
        return safe_log(p * z)

    assert derivative(scored, order)(0.3, 0.0) == 0
    np.testing.assert_allclose(derivative(scored, order)(0.3, 1.0), derivative(jnp.log, order)(0.3))
    assert safe_log(jnp.zeros(())) == np.log(np.finfo(float).tiny)


def test_functions_with_derivatives_of_their_own_keep_them():
    @jax.custom_jvp
    def tripled(x):
        return jnp.log(x) * 0 + 3 * jnp.exp(x)

    tripled.defjvps(lambda t, ans, x: 7 * t)
    assert jax.grad(lambda x: edges.differentiable(tripled, x))(2.0) == 7
    np.testing.assert_allclose(
        jax.grad(lambda x: edges.differentiable(jax.nn.softplus, x))(200.0), 1
    )


def test_weights_and_gaps_beside_a_class_at_the_edge():
    """Row weights count rows, and a masked visit is none: against the same data written out."""

    def visits(y, seen, w):
        psi = numpyro.sample("psi", dist.Beta(1, 1))
        p = numpyro.sample("p", dist.Beta(1, 1))
        with numpyro.plate("sites", y.shape[0]), handlers.scale(scale=w):
            z = numpyro.sample("z", dist.Bernoulli(psi))
            visit = dist.Bernoulli((p * z)[..., None]).expand([*y.shape]).mask(seen).to_event(1)
            numpyro.sample("y", visit, obs=y)

    rng = np.random.default_rng(1)
    seen = rng.random((80, 3)) < 0.8
    seen[:, 0] = True
    y = rng.binomial(1, 0.5 * (rng.random((80, 1)) < 0.6), (80, 3)) * seen
    w = rng.integers(1, 4, 80).astype(float)

    def log_likelihood(v):
        ones, trials = y.sum(1), seen.sum(1)
        f = v[1] ** ones * (1 - v[1]) ** (trials - ones)
        return w @ np.log(v[0] * f + (1 - v[0]) * (ones == 0))

    fit = em.EM(visits, num_restarts=2, tolerance=1e-11).run(
        KEY, jnp.asarray(y), jnp.asarray(seen), jnp.asarray(w)
    )
    estimate = flat(fit.params, ("psi", "p"))
    assert fit.status.ok, fit.message
    assert fit.log_likelihood == pytest.approx(log_likelihood(estimate), rel=1e-10)
    errors = np.sqrt(np.diagonal(np.linalg.inv(-hessian(log_likelihood, estimate))))
    np.testing.assert_allclose(flat(fit.standard_errors(), ("psi", "p")), errors, rtol=1e-5)
