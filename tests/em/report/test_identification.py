"""Directions that the data do not determine are found and named, and no others."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em, models
from mixpyro.em.report.directions import directions, feasible
from mixpyro.em.report.identification import combinations

KEY = jax.random.key(0)


def enumerated(a, c):
    """NumPyro's toy example of enumeration: a -> b -> c with b hidden; a row is one of four."""
    p_b = numpyro.sample("p_b", dist.Beta(1, 1).expand([2]).to_event(1))
    p_c = numpyro.sample("p_c", dist.Beta(1, 1).expand([2]).to_event(1))
    with numpyro.plate("rows", a.shape[0]):
        b = numpyro.sample("b", dist.Bernoulli(p_b[a]))
        numpyro.sample("c", dist.Bernoulli(p_c[b]), obs=c)


def items(x):
    """Two classes of binary items: with d items 2 d + 1 parameters for 2^d - 1 frequencies."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("classes", 2):
        p = numpyro.sample("p", dist.Beta(1, 1).expand([x.shape[1]]).to_event(1))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Bernoulli(p[z]).to_event(1), obs=x)


def observers(counts):
    """Dawid & Skene (1979): each observer errs in its own way, given the true class."""
    k = counts.shape[-1]
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
    with numpyro.plate("observers", counts.shape[1]), numpyro.plate("classes", k, dim=-2):
        p = numpyro.sample("p", dist.Dirichlet(jnp.ones(k)))
    with numpyro.plate("patients", counts.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Multinomial(counts.sum(-1), p[z]).to_event(1), obs=counts)


def of_items(d, seed):
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 2, 300)
    p = np.where(z[:, None] == 0, 0.25, 0.7)
    return jnp.asarray((rng.random((300, d)) < p).astype(int))


@pytest.mark.parametrize("seed", [0, 1])
def test_two_of_four_dimensions(precision, seed):
    rng = np.random.default_rng(seed)
    a = rng.random(300) < 0.6
    b = rng.random(300) < np.where(a, 0.8, 0.2)
    c = rng.random(300) < np.where(b, 0.7, 0.1)
    fit = em.EM(enumerated, num_restarts=3).run(
        jax.random.key(seed), jnp.asarray(a.astype(int)), jnp.asarray(c.astype(int))
    )
    # The two frequencies that the data are of are fitted exactly.
    share = [c[a == j].mean() for j in (0, 1)]
    saturated = sum(
        (a == j).sum() * (s * np.log(s) + (1 - s) * np.log(1 - s)) for j, s in enumerate(share)
    )
    assert fit.log_likelihood == pytest.approx(saturated, abs=1e-3)
    assert fit.status is em.Status.NOT_IDENTIFIED
    assert int(fit.information.directions.flat.sum()) == 2
    assert "Undetermined: p_b, p_c." in fit.message
    assert (fit.summary().note == "not identified").all()


@pytest.mark.parametrize(("d", "flat"), [(1, 2), (2, 2), (3, 0)])
def test_as_many_dimensions_as_frequencies(precision, d, flat):
    """Goodman (1974, Biometrika 61:215): two classes of three items are identified, of two not."""
    fit = em.EM(items, num_restarts=3).run(KEY, of_items(d, 3))
    assert int(fit.information.directions.flat.sum()) == flat
    assert fit.status is (em.Status.NOT_IDENTIFIED if flat else em.Status.CONVERGED)
    assert len(combinations(fit.information, fit.shapes, fit.program, fit.call)) == flat
    if flat:
        assert "Undetermined: p, weights." in fit.message
    else:
        assert (fit.summary().standard_error < 1).all()


# Observer 1 three times, then observers 2 to 5: Dawid & Skene (1979, Applied Statistics 28:20),
# table 1.
RATINGS = (
    "1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 "
    "2223343 1111111 2223212 1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221 "
    "2223222 2212222 1111111 1111111 2322222 1111111 1111111 1121121 1111111 3333233 1111111 "
    "2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 "
    "2222222"
)


@functools.cache
def counts():
    """(45, 5, 4) how often each observer gave a patient each grade."""
    found = np.zeros((45, 5, 4), int)
    for patient, ratings in enumerate(RATINGS.split()):
        for observer, grade in zip((0, 0, 0, 1, 2, 3, 4), ratings, strict=True):
            found[patient, observer, int(grade) - 1] += 1
    return found


def dawid_skene(start):
    """Their algorithm, from responsibilities: the log-likelihood (no combinatorial part)."""
    y, resp = counts(), start
    for _ in range(3000):
        weights = resp.mean(0)
        p = np.einsum("nk,noj->koj", resp, y)
        p /= p.sum(-1, keepdims=True)
        joint = weights * np.exp(np.einsum("noj,koj->nk", y, np.log(np.maximum(p, 1e-300))))
        resp = joint / joint.sum(1, keepdims=True)
    return np.log(joint.sum(1)).sum()


@pytest.mark.usefixtures("x64")
@pytest.mark.slow
def test_mass_between_two_probabilities_of_0_is_no_direction():
    fit = em.EM(observers, num_restarts=10).run(KEY, jnp.asarray(counts()))
    assert fit.status.ok, fit.message
    # Observer 1's three ratings in any order are one count: the multinomial's coefficient.
    orders = sum(np.log(6 / np.prod([[1, 1, 2, 6][c] for c in row])) for row in counts()[:, 0])
    majority = counts().sum(1) / 7
    assert fit.log_likelihood - orders >= dawid_skene(majority) - 1e-6
    own = dawid_skene(np.asarray(fit.responsibilities()))
    assert fit.log_likelihood - orders == pytest.approx(own, abs=1e-6)

    notes = fit.summary().note.where(lambda note: note == "boundary", "")
    assert "not identified" not in set(fit.summary().note)
    estimates = fit.summary().estimate
    assert (np.minimum(estimates, 1 - estimates)[notes == "boundary"] < 1e-6).all()
    np.testing.assert_allclose(
        fit.summary().standard_error[notes == ""], errors_on_the_face(fit, notes == ""), rtol=1e-6
    )


def errors_on_the_face(fit, inside):
    """Standard errors with the entries at the boundary held there, by the likelihood written out.

    Each simplex has the free entries but the last as its coordinates.
    """
    y = jnp.asarray(counts(), float)
    values = [np.asarray(fit.params["weights"])[None], np.asarray(fit.params["p"]).reshape(-1, 4)]
    table = np.concatenate(values)  # (1 + 20, 4) simplexes
    names = list(fit.summary().index)
    flags = dict(zip(names, inside, strict=True))
    free = np.array(
        [flags[f"weights[{j}]"] for j in range(4)]
        + [flags[f"p[{i}, {o}, {j}]"] for i in range(4) for o in range(5) for j in range(4)]
    ).reshape(-1, 4)
    rows, last = [], {}
    for r, mask in enumerate(free):
        members = np.nonzero(mask)[0]
        if len(members):
            last[r] = members[-1]
            rows += [(r, j) for j in members[:-1]]
    index = tuple(np.array(rows).T)
    ends = np.array(list(last)), np.array(list(last.values()))

    def full(v):
        out = jnp.asarray(np.where(free, table, np.round(table))).at[index].set(v)
        out = out.at[ends].set(0.0)
        return out.at[ends].set(1 - out.sum(1)[ends[0]])

    def log_likelihood(v):
        t = full(v)
        p = t[1:].reshape(4, 5, 4)
        logs = jnp.where(p > 0, jnp.log(jnp.where(p > 0, p, 1)), -1e3)
        return jax.nn.logsumexp(jnp.log(t[0]) + jnp.einsum("noj,koj->nk", y, logs), axis=1).sum()

    at = jnp.asarray(table[index])
    inverse = np.linalg.inv(-np.asarray(jax.hessian(log_likelihood)(at)))
    slopes = np.asarray(jax.jacfwd(full)(at))
    table_errors = np.sqrt(np.einsum("rjm,mn,rjn->rj", slopes, inverse, slopes))
    by_name = dict(
        zip(
            [f"weights[{j}]" for j in range(4)]
            + [f"p[{i}, {o}, {j}]" for i in range(4) for o in range(5) for j in range(4)],
            table_errors.ravel(),
            strict=True,
        )
    )
    return [by_name[n] for n in names if flags[n]]


@pytest.mark.usefixtures("x64")
@pytest.mark.slow
def test_one_class_has_no_boundary():
    def one(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(1)))
        with numpyro.plate("classes", 1):
            p = numpyro.sample("p", dist.Beta(1, 1))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Bernoulli(p[z]), obs=x)

    x = np.arange(50) % 5 == 0
    fit = em.EM(one).run(KEY, jnp.asarray(x.astype(int)))
    assert fit.status.ok
    assert "boundary" not in fit.message
    assert (fit.summary().note == "").all()
    assert float(fit.standard_errors()["weights"][0]) == 0
    assert float(fit.standard_errors()["p"][0]) == pytest.approx(np.sqrt(0.2 * 0.8 / 50))


def test_a_bent_ridge_is_flat_though_its_curvature_is_not_0():
    """``-(x y - 1)^2`` at a point beside the ridge: the gradient bends along it."""
    x, y = 1.0, 1.0 - 1e-5
    slope = -2 * (x * y - 1) * np.array([y, x])
    matrix = 2 * np.array([[y * y, 2 * x * y - 1], [2 * x * y - 1, x * x]])
    gram = 2 * np.array([[y * y, x * y], [x * y, x * x]])
    found = directions(matrix, slope, lambda: gram, lambda: np.eye(2), np.eye(2), float)
    assert found.values[0] > 1e-9  # not so small that rounding makes it
    np.testing.assert_array_equal(found.flat, [True, False])
    across = found.null[:, 0] / np.abs(found.null).max()
    np.testing.assert_allclose(across[0], -across[1], rtol=1e-3)
    # Rows whose scores all vanish in a direction of real curvature determine it all the same.
    found = directions(
        np.eye(2), np.zeros(2), lambda: np.diag([1.0, 0.0]), lambda: np.eye(2), np.eye(2), float
    )
    assert not found.flat.any()


def test_feasible_directions_leave_the_edge_alone():
    """Probabilities (0.6, 0.4, 0, 0) in logs: only what moves the first two is left."""
    p = np.array([0.6, 0.4, 1e-10, 1e-10])
    jacobian = {"p": (np.diag(p) - np.outer(p, p))[:, :3], "a": np.eye(1, 3, 2)}
    jacobian = {"a": np.array([[1.0, 0, 0, 0]]), "p": np.pad(jacobian["p"], ((0, 0), (1, 0)))}
    edges = {"a": np.array([False]), "p": p < 1e-9}
    found = feasible(jacobian, edges, {"a": 1, "p": 3}, float)
    assert found.shape == (4, 2)
    moves = jacobian["p"] @ found
    np.testing.assert_allclose(np.abs(moves[:2]).max(1) > 0.1, True)
    np.testing.assert_allclose(found[0], [1, 0])


def test_columns_that_are_nearly_the_same_determine_their_means(x64):
    """Columns of correlation 1 - 5e-9: the means have the standard errors that they have anyway.

    Classes are so far apart that the estimates are those of each class by itself.
    """
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    x = np.stack([a, a + 1e-4 * rng.normal(size=400)], 1)
    x[:200] += 60
    fit = em.EM(models.gaussian_mixture, num_restarts=2).run(KEY, x, num_components=2)
    assert fit.status.ok
    order = np.argsort(np.asarray(fit.params["loc"])[:, 0])
    errors = np.stack([half.std(0) / np.sqrt(200) for half in (x[200:], x[:200])])
    np.testing.assert_allclose(fit.standard_errors()["loc"][order], errors, rtol=1e-4)


def test_little_curvature_is_flat_unless_labelled_rows_would_tell_no_more():
    """Scaled information (1, 1e-10), felt by the rows."""
    turn = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
    matrix = turn @ np.diag([1e-10, 2 - 1e-10]) @ turn.T

    def flat(complete):
        return directions(
            matrix, np.zeros(2), lambda: matrix, lambda: complete, np.eye(2), float
        ).flat

    assert flat(turn @ np.diag([1.0, 2.0]) @ turn.T).tolist() == [True, False]
    assert flat(2 * matrix).tolist() == [False, False]
