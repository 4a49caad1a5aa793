"""What works row by row is told from what does not, and rows that fill up change no fit."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax import lax
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln, logsumexp
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import laplace, poisson

from mixpyro import em
from mixpyro.em import programs
from mixpyro.em.climb import opening
from mixpyro.em.climb.engine import stand_in
from mixpyro.em.machine.recent import Recent
from mixpyro.em.plan.chunks import size_class
from mixpyro.em.plan.resize import of_size
from mixpyro.em.plan.row_by_row import row_by_row

KEY = jax.random.key(0)
N = 7
_rng = np.random.default_rng(3)
X, P, Z = _rng.normal(size=(N, 3)), _rng.normal(size=(4, 3)), _rng.integers(0, 4, N)
ROOT = jnp.linalg.cholesky(jnp.cov(_rng.normal(size=(3, 9))))

BY_ROW = {
    "entries": lambda x, p, z: jnp.exp(x) * 2 + jnp.where(x > 0, x, -x) ** 3,
    "a line": lambda x, p, z: x @ p[0],
    "lines": lambda x, p, z: x @ p.T,
    "the other way": lambda x, p, z: p @ x.T,
    "columns": lambda x, p, z: (x - p[0]).sum(1) + x.max(1) + x[:, 1] + jnp.sort(x, 1)[:, 0],
    "an axis more": lambda x, p, z: (x[:, None, :] - p[None]).reshape(len(x), -1),
    "chosen": lambda x, p, z: (p[z] * x).sum(1),
    "chosen of each": lambda x, p, z: jnp.take_along_axis(x, (z % 3)[:, None], 1)[:, 0],
    "numbers": lambda x, p, z: jnp.arange(len(x)) * x[:, 0] + jnp.ones(len(x)),
    "of each component": lambda x, p, z: logsumexp(jax.vmap(lambda q: x @ q)(p), 0),
    "each by itself": lambda x, p, z: jax.vmap(
        lambda a, b: a @ jnp.asarray(p)[b] + gammaln(a[0] ** 2 + 1)
    )(x, z),
    "solved": lambda x, p, z: (solve_triangular(ROOT, x.T, lower=True) ** 2).sum(0),
    "matrices": lambda x, p, z: jax.vmap(
        lambda a: jnp.linalg.cholesky(jnp.eye(3) + jnp.outer(a, a))[2, 2]
    )(x),
    "joined": lambda x, p, z: jnp.concatenate([x, x**2], 1).cumsum(1)[:, ::-1],
    "branches": lambda x, p, z: lax.cond(p[0, 0] > 0, jnp.sin, jnp.cos, x),
    "a few steps": lambda x, p, z: lax.fori_loop(0, 4, lambda i, y: y + p[i] / (1 + y**2), x),
    "scanned": lambda x, p, z: lax.scan(lambda y, q: (jnp.tanh(y + q), y[:, 0]), x, p)[1],
}
NOT_BY_ROW = {
    "centred": lambda x, p, z: x - x.mean(0),
    "a total": lambda x, p, z: x / jnp.abs(x).sum(),
    "how many": lambda x, p, z: x * jnp.ones(len(x)).sum(),
    "their number": lambda x, p, z: x / len(x),
    "their number, not quite": lambda x, p, z: x / np.float32(len(x) + 1e-6),
    "to that power": lambda x, p, z: lax.integer_pow(x, len(x)),
    "turned round": lambda x, p, z: x[::-1],
    "the row before": lambda x, p, z: x - jnp.roll(x, 1, 0),
    "differences": lambda x, p, z: jnp.diff(x, axis=0, prepend=0),
    "sums so far": lambda x, p, z: jnp.cumsum(x, 0),
    "ranks": lambda x, p, z: jnp.argsort(x[:, 0]),
    "the first row": lambda x, p, z: x * x[0],
    "any row": lambda x, p, z: x * x[jnp.argmax(x[:, 0])],
    "of another row": lambda x, p, z: x[z],
    "all pairs": lambda x, p, z: (x @ x.T)[:, 0],
    "in other rows": lambda x, p, z: x.ravel().reshape(3, -1).T,
    "groups": lambda x, p, z: jax.ops.segment_sum(x, z, 4)[z],
    "as many steps": lambda x, p, z: lax.fori_loop(0, len(x), lambda i, y: y * 1.01, x),
    "until all are done": lambda x, p, z: lax.while_loop(
        lambda y: (jnp.abs(y) > 1e-2).any(), lambda y: y / 2, x
    ),
    "one after the other": lambda x, p, z: lax.scan(lambda s, a: (s + a, s), x[0], x)[1],
    "covariance": lambda x, p, z: x @ jnp.linalg.inv(jnp.eye(3) + x.T @ x),
    "put into one": lambda x, p, z: x.at[0].set(p[0]),
}


def found(function, n=N):
    rng = np.random.default_rng(n)
    x, z = rng.normal(size=(n, 3)), rng.integers(0, 4, n)
    return row_by_row(jax.make_jaxpr(function)(x, P, z), n, [0])


@pytest.mark.parametrize("name", BY_ROW)
def test_it_is_seen_and_so(name):
    """With other rows after them, and with another row changed, the rows' numbers are the same."""
    function = BY_ROW[name]
    assert found(function)
    own = np.asarray(function(X, jnp.asarray(P), Z))
    (axis,) = (i for i, size in enumerate(own.shape) if size == N)
    more = [np.concatenate([v, v[-1:], v[:1]]) for v in (X, Z)]
    whole = np.asarray(function(more[0], jnp.asarray(P), more[1]))
    np.testing.assert_allclose(whole.take(range(N), axis), own, rtol=1e-5, atol=1e-6)
    changed = X.copy()
    changed[2] += 1
    others = [i for i in range(N) if i != 2]
    other = np.asarray(function(changed, jnp.asarray(P), Z)).take(others, axis)
    np.testing.assert_allclose(other, own.take(others, axis), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NOT_BY_ROW)
def test_it_is_seen_that_it_is_not(name):
    assert not found(NOT_BY_ROW[name])


def test_what_is_not_asked_for_may_be_anything():
    def both(x, p, z):
        return x * 2, x - x.mean(0)

    jaxpr = jax.make_jaxpr(both)(X, P, Z)
    assert row_by_row(jaxpr, N, [0])
    assert not row_by_row(jaxpr, N, [0, 1])


def test_a_number_of_rows_that_another_axis_has_is_no_answer():
    square = jax.make_jaxpr(lambda x: jnp.exp(x))(np.zeros((N, N)))
    assert not row_by_row(square, N, [0])


class Rates:
    """Poisson counts whose rate is a function of a covariate, of the rows together if asked."""

    def __init__(self, offset):
        self.offset = offset

    def __call__(self, y, x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            level = numpyro.sample("level", dist.Normal(0, 3))
        slope = numpyro.sample("slope", dist.Normal(0, 3))
        with numpyro.plate("rows", y.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            rate = jnp.exp(level[z] + slope * x + self.offset(x))
            numpyro.sample("y", dist.Poisson(rate), obs=y)


def simulated(n, seed=5):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n)
    return rng.poisson(np.exp(np.where(rng.random(n) < 0.4, 0, 2) + x)).astype(float), x


def best(y, x, offset, weights=1):
    """SciPy's optimum of the likelihood written by hand."""

    def lowered(v):
        share = expit(v[0])
        log = [poisson.logpmf(y, np.exp(a + v[3] * x + offset)) for a in v[1:3]]
        total = np.logaddexp(log[0] + np.log(share), log[1] + np.log1p(-share))
        return -(weights * total).sum()

    return -minimize(lowered, [0, 0, 2, 1], method="BFGS", options={"gtol": 1e-6}).fun


OFFSETS = {
    "by row": (lambda x: 0.0, True),
    "centred": (lambda x: -x.mean(), False),
    "by how many there are": (lambda x: 10.0 / x.shape[0], False),
    "by the number itself": (lambda x: jnp.log(jnp.full((), 1.0 * x.shape[0])) / 4, False),
}


@pytest.fixture
def fresh(monkeypatch):
    for name in ("_programs", "_patterns"):
        monkeypatch.setattr(programs, name, Recent(64))


@pytest.mark.parametrize("name", OFFSETS)
def test_fits_are_those_of_their_own_rows(name, fresh):
    offset, by_row = OFFSETS[name]
    model = Rates(offset)
    for n in (70, 61):
        y, x = simulated(n)
        fit = em.EM(model).run(KEY, y, x)
        assert (of_size(fit.program, size_class(n)) is not None) == by_row
        expected = best(y, x, np.asarray(offset(x)))
        np.testing.assert_allclose(fit.log_likelihood, expected, rtol=2e-6)
        assert fit.responsibilities().shape == (n, 2)


def test_steps_are_traced_once_for_all_numbers_of_rows(fresh, monkeypatch):
    legs, leg = [], opening.leg
    monkeypatch.setattr(opening, "leg", lambda *args: legs.append(1) or leg(*args))
    model, numbers = Rates(lambda x: 0.0), []
    for n in (96, 95, 70, 66):
        em.EM(model).run(KEY, *simulated(n))
        numbers.append(len(legs))
    assert numbers[0] > 0
    assert numbers[1:] == numbers[:1] * 3


def test_weights_and_given_responsibilities_are_those_of_the_rows(fresh):
    """35 rows, of which a size class has 64."""
    y, x = simulated(35)
    weights = np.random.default_rng(1).uniform(0.5, 2, 35)
    model = Rates(lambda x: 0.0)

    def weighted(y, x, weights):
        with numpyro.handlers.scale(scale=weights):
            model(y, x)

    start = np.stack([y < 3, y >= 3], 1).astype(float)
    fit = em.EM(weighted).run(KEY, y, x, weights, init_responsibilities=start)
    assert of_size(fit.program, size_class(35)).num_rows == 64
    np.testing.assert_allclose(fit.log_likelihood, best(y, x, 0, weights), rtol=2e-6)


def test_an_order_of_the_rows_is_of_these_alone(fresh):
    """Medians are found by it: rows are not filled up."""

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            loc = numpyro.sample("loc", dist.Normal(0, 10))
            scale = numpyro.sample("scale", dist.HalfNormal(5))
            asymmetry = numpyro.sample("asymmetry", dist.HalfNormal(5))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.AsymmetricLaplace(loc[z], scale[z], asymmetry[z]), obs=x)

    rng = np.random.default_rng(2)
    x = np.concatenate([rng.laplace(size=20), 9 + rng.laplace(size=21)])
    fit = em.EM(model).run(KEY, x)
    assert stand_in(fit.program, fit.rows) == (fit.program, fit.rows)
    assert fit.status.ok
    log = [laplace(m, 1).logpdf(x) for m in (0, 9)]
    assert fit.log_likelihood > np.logaddexp(*log).sum() + 41 * np.log(0.5)
