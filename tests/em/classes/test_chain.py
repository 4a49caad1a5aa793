"""Classes along a chain summed out, against all paths of plain arrays one by one."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from mixpyro.em.classes import chain
from mixpyro.em.classes.assignments.hard import Hard
from mixpyro.em.classes.assignments.soft import Soft
from mixpyro.em.classes.assignments.stochastic import Drawn
from mixpyro.em.classes.chain import first_pairs, increments, smooth

K, T, S = 3, 5, 2
RNG = np.random.default_rng(1)
DENSITY = RNG.normal(size=(K, T * S)) * 3
PAIRS = np.log(RNG.dirichlet(np.ones(K), K + 1)).ravel()
ROWWISE = np.log(RNG.dirichlet(np.ones(K), (K + 1, T * S))).swapaxes(1, 2).reshape(-1, T * S)
PATHS = np.array(list(itertools.product(range(K), repeat=T)))

pytestmark = pytest.mark.usefixtures("x64")


def joint(pairs):
    """(p, s) the log joint of every path."""
    density = DENSITY.reshape(K, T, S)
    table = np.broadcast_to(
        pairs.reshape(K + 1, K, *pairs.shape[1:], *[1] * (2 - pairs.ndim)), (K + 1, K, T * S)
    )
    table = table.reshape(K + 1, K, T, S)
    before = np.column_stack([np.full(len(PATHS), K), PATHS[:, :-1]])
    times = np.arange(T)
    return (density[PATHS, times] + table[before, PATHS, times]).sum(1)


@pytest.fixture(params=["in logs", "scaled"])
def way(request, monkeypatch):
    """Sums of few steps are taken in logs."""
    monkeypatch.setattr(chain, "_MANY", 0 if request.param == "scaled" else 1 << 16)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("pairs", [PAIRS, ROWWISE], ids=["the same", "by row"])
def test_soft_is_the_sum_over_paths(pairs):
    each = joint(pairs)
    weights = np.array([1.0, 2.5])
    rows = np.tile(weights, T)
    found = smooth(Soft(), jnp.asarray(DENSITY), jnp.asarray(pairs), jnp.asarray(rows), T)
    total = np.asarray(found.objective).reshape(T, S).sum(0)
    np.testing.assert_allclose(total, logsumexp(each, 0), atol=1e-12)
    posterior = np.exp(each - logsumexp(each, 0))
    one_hot = PATHS[..., None] == np.arange(K)
    expected = np.einsum("ps,ptk->kts", posterior, one_hot).reshape(K, -1)
    np.testing.assert_allclose(found.responsibilities, expected, atol=1e-12)
    before = np.column_stack([np.full(len(PATHS), K), PATHS[:, :-1]])
    number = before * K + PATHS
    counts = np.einsum(
        "ps,s,ptm->mts", posterior, weights, number[..., None] == np.arange((K + 1) * K)
    ).reshape(-1, T * S)
    counts = counts if pairs.ndim == 2 else counts.sum(1)
    np.testing.assert_allclose(found.pairs, counts, atol=1e-12)


def test_hard_is_the_best_path():
    each = joint(PAIRS)
    found = smooth(Hard(), jnp.asarray(DENSITY), jnp.asarray(PAIRS), jnp.ones(T * S), T)
    best = PATHS[each.argmax(0)].T.ravel()
    np.testing.assert_array_equal(np.asarray(found.responsibilities).argmax(0), best)
    total = np.asarray(found.objective).reshape(T, S).sum(0)
    np.testing.assert_allclose(total, each.max(0), atol=1e-12)


def test_drawn_paths_have_their_probabilities():
    each = joint(PAIRS)[:, 0]
    density = jnp.asarray(DENSITY.reshape(K, T, S)[:, :, 0])

    def draw(key):
        drawn = Drawn(key, jnp.ones(()))
        return smooth(drawn, density, jnp.asarray(PAIRS), jnp.ones(T), T).responsibilities.argmax(0)

    number = 20_000
    paths = np.asarray(jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(2), number)))
    place = paths @ K ** np.arange(T)[::-1]
    found = np.bincount(place, minlength=len(PATHS)) / number
    expected = np.exp(each - logsumexp(each))
    error = np.sqrt(expected * (1 - expected) / number)
    often = expected * number > 20
    assert often.sum() > 10
    assert (np.abs(found - expected) <= 5 * error)[often].all()


@pytest.mark.slow
def test_the_second_derivative_is_that_of_the_sum_over_paths():
    def ours(pairs):
        return increments(Soft(), jnp.asarray(DENSITY), pairs, T).sum()

    def by_paths(pairs):
        density = jnp.asarray(DENSITY).reshape(K, T, S)
        table = pairs.reshape(K + 1, K)
        before = np.column_stack([np.full(len(PATHS), K), PATHS[:, :-1]])
        each = (density[PATHS, np.arange(T)] + table[before, PATHS][..., None]).sum(1)
        return jax.scipy.special.logsumexp(each, 0).sum()

    pairs = jnp.asarray(PAIRS)
    np.testing.assert_allclose(jax.grad(ours)(pairs), jax.grad(by_paths)(pairs), atol=1e-11)
    np.testing.assert_allclose(jax.hessian(ours)(pairs), jax.hessian(by_paths)(pairs), atol=1e-10)


@pytest.mark.usefixtures("way")
def test_what_cannot_be_has_no_density():
    density = DENSITY.copy()
    density[:, 4] = -np.inf
    found = smooth(Soft(), jnp.asarray(density), jnp.asarray(PAIRS), jnp.ones(T * S), T)
    total = np.asarray(found.objective).reshape(T, S).sum(0)
    assert total[0] == -np.inf
    assert np.isfinite(total[1])


@pytest.mark.usefixtures("way")
def test_states_that_cannot_be_reached_are_none():
    """A forbidden state with a density e^900 times the others' does not take over."""
    with np.errstate(divide="ignore"):
        pairs = np.log(np.array([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1.0], [1, 0, 0]])).ravel()
    density = DENSITY.copy()
    density[2] += 900
    found = smooth(Soft(), jnp.asarray(density), jnp.asarray(pairs), jnp.ones(T * S), T)
    np.testing.assert_allclose(found.responsibilities[2], 0, atol=1e-12)
    assert np.isfinite(found.objective).all()


FORBIDDEN = np.log(np.array([[0.5, 0.5, 0], [0, 1, 0], [0, 0.1, 0.9], [0.2, 0, 0.8]]) + 1e-320)


@pytest.mark.parametrize("table", [PAIRS, FORBIDDEN.ravel()], ids=["all", "forbidden"])
def test_probabilities_lose_nothing_that_logs_keep(monkeypatch, table):
    """Densities e^2000 apart, sequences that have ended, steps without any possible class."""
    rng = np.random.default_rng(4)
    length, number = 40, 3
    density = rng.normal(size=(K, length, number)) * 2000
    density[1, ::7] = -np.inf
    weights = np.tile([1.0, 2.5, 0.5], (length, 1))
    weights[25:, 0] = weights[31:, 2] = 0
    given = [jnp.asarray(v) for v in (density.reshape(K, -1), table, weights.ravel())]
    table = np.maximum(table, -1e30).reshape(K + 1, K)
    slow = smooth(Soft(), *given, length)
    monkeypatch.setattr(chain, "_MANY", 0)
    both = [given[0], jnp.flip(given[0], 0)], [given[1], given[1] * 1.01]
    batch = jax.vmap(lambda d, p: smooth(Soft(), d, p, given[2], length))
    fast = jax.tree.map(lambda v: v[0], jax.jit(batch)(*map(jnp.stack, both)))
    for s in range(number):
        log_a, end = table[K] + density[:, 0, s], int((weights[:, s] > 0).sum())
        for t in range(1, end):
            log_a = logsumexp(log_a[:, None] + table[:K], 0) + density[:, t, s]
        for found in (slow, fast):
            own = found.objective.reshape(length, number)[:end, s].sum()
            np.testing.assert_allclose(own, logsumexp(log_a), rtol=1e-13)
    used = weights.ravel() > 0
    np.testing.assert_allclose(
        fast.responsibilities[:, used], slow.responsibilities[:, used], atol=1e-12
    )
    np.testing.assert_allclose(fast.pairs, slow.pairs, atol=1e-11)


@pytest.mark.parametrize("table", [PAIRS, FORBIDDEN.ravel()], ids=["all", "forbidden"])
def test_derivatives_in_probabilities_are_those_in_logs(monkeypatch, table):
    weights = jnp.asarray(np.tile([1.0, 2.5], (T, 1)).ravel()).at[-1].set(0)
    direction = jnp.asarray(RNG.normal(size=len(table)))

    def total(density, pairs):
        found = smooth(Soft(), density, pairs, weights, T)
        return (weights * found.objective).sum()

    def both(density, table):
        moved = jax.grad(lambda pairs: jax.grad(total, 1)(density, pairs) @ direction)
        return jax.grad(total, (0, 1))(density, table), moved(table)

    given = jnp.asarray(DENSITY), jnp.asarray(table)
    expected = jax.jit(both)(*given)
    monkeypatch.setattr(chain, "_MANY", 0)
    found = jax.jit(lambda *v: both(*v))(*given)
    for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-10)


def test_starts_leave_no_pair_out():
    start = jax.nn.one_hot(jnp.arange(T * S) % K, K).T
    pairs = first_pairs(start, jnp.ones(T * S), T, False)
    assert pairs.shape == ((K + 1) * K,)
    assert (pairs > 0).all()
    np.testing.assert_allclose(pairs.sum(), T * S, atol=1e-12)
    np.testing.assert_allclose(first_pairs(start, jnp.ones(T * S), T, True).sum(1), pairs)
