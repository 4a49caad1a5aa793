"""Models that batches fit as all rows at once would, and those that are refused."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.contrib.control_flow import scan
from scipy.special import logsumexp
from scipy.stats import norm

from mixpyro import em

RNG = np.random.default_rng(2)
N, SIZE = 500, 150
Z = RNG.integers(0, 2, N)
X = RNG.normal(3.0 * Z, 1 + Z)


def mixture(x, observation, labels=None, known=None, **kwargs):
    probs = numpyro.sample("probs", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(probs), obs=labels, obs_mask=known)
        numpyro.sample("x", observation(loc[z], scale[z]), obs=x)


def normals(x, labels=None):
    mixture(x, dist.Normal, labels)


def centred(x):
    normals((x - x.mean()) / x.std())


def counted(x):
    with handlers.scale(scale=1 / x.shape[0]):
        normals(x)


def wide(x):
    shift = numpyro.param("shift", jnp.zeros(66))
    mixture(x, lambda loc, scale: dist.Gumbel(loc + (shift**2).sum(), scale))


def beside(x):
    normals(x)
    numpyro.factor("penalty", -(numpyro.param("extra", 0.0) ** 2))


def needs_values(x, labels):
    assert int(labels.max()) < 5
    normals(x)


def by_index(x, group):
    probs = numpyro.sample("probs", dist.Dirichlet(jnp.ones(2)))
    loc = numpyro.param("loc", jnp.arange(2.0))
    with numpyro.plate("groups", 7):
        z = numpyro.sample("z", dist.Categorical(probs))
    with numpyro.plate("rows", x.shape[0]):
        numpyro.sample("x", dist.Normal(loc[z[group]], 1.0), obs=x)


def groups(x):
    probs = numpyro.sample("probs", dist.Dirichlet(jnp.ones(2)))
    loc = numpyro.param("loc", jnp.array([-1.0, 1.0]))
    with numpyro.plate("groups", x.shape[0], dim=-2):
        z = numpyro.sample("z", dist.Categorical(probs))
        with numpyro.plate("rows", x.shape[1], dim=-1):
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)


def chains(x, there):
    with numpyro.plate("states", 2):
        move = numpyro.sample("move", dist.Dirichlet(jnp.ones(2)))
        loc = numpyro.sample("loc", dist.Normal(0, 5))

    def step(z, now):
        value, there = now
        with numpyro.plate("sequences", x.shape[0]), handlers.mask(mask=there):
            z = numpyro.sample("z", dist.Categorical(move[z]))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=value)
        return z, None

    scan(step, jnp.zeros(x.shape[0], int), (x.T, there.T))


def batches(*arrays, size=SIZE):
    return [em.Batches(a, batch_size=size) for a in arrays]


def test_known_labels_are_the_closed_form(x64):
    fit = em.EM(normals).run(0, *batches(X, Z))
    for k in (0, 1):
        np.testing.assert_allclose(fit.params["loc"][k], X[k == Z].mean())
        np.testing.assert_allclose(fit.params["scale"][k], X[k == Z].std())
        np.testing.assert_allclose(fit.params["probs"][k], (k == Z).mean())


def test_hard_assignment_is_classification_em(x64):
    """Celeux & Govaert (1992): each row to its best class, the classes' own estimates, again."""
    fit = em.EM(normals, assign="hard").run(0, *batches(X), init_params=START)
    p = dict(START)
    while True:
        joint = np.log(p["probs"]) + norm.logpdf(X[:, None], p["loc"], p["scale"])
        own = [X[joint.argmax(1) == k] for k in (0, 1)]
        new = {"probs": np.array([len(o) / N for o in own])}
        new |= {"loc": np.array([o.mean() for o in own]), "scale": np.array([o.std() for o in own])}
        if all(np.allclose(new[n], p[n], rtol=1e-12) for n in p):
            break
        p = new
    assert fit.status == em.Status.CONVERGED
    for name, value in p.items():
        np.testing.assert_allclose(fit.params[name], value)
    np.testing.assert_allclose(fit.objective, joint.max(1).sum())
    np.testing.assert_allclose(fit.log_likelihood, logsumexp(joint, axis=1).sum())
    np.testing.assert_array_equal(np.concatenate(list(fit.predict())), joint.argmax(1))
    assert "gradient" not in fit.message


@pytest.mark.slow
def test_sequences_are_rows_of_their_own(x64):
    """Baum-Welch by all 16 paths of four steps, some of them shorter, from a long table."""
    length = RNG.integers(2, 5, 60)
    there = np.arange(4) < length[:, None]
    x = RNG.normal(size=there.shape) + RNG.integers(0, 2, (60, 1))
    table = np.c_[np.repeat(np.arange(60), length), x[there]]
    rows = em.Batches(table, 1, batch_size=25, by=0)
    init = {"move": np.array([[0.6, 0.4], [0.3, 0.7]]), "loc": np.array([-1.0, 1.0])}
    fit = em.EM(chains, accelerate=None, max_steps=2).run(0, rows, rows.present, init_params=init)
    paths = np.indices((2,) * 4).reshape(4, -1).T
    before = np.concatenate([np.zeros((16, 1), int), paths[:, :-1]], 1)
    move, loc = init["move"], init["loc"]

    def log_joint():
        terms = np.log(move[before, paths]) + norm.logpdf(x[:, None], loc[paths])
        return (terms * there[:, None]).sum(2) - np.log(2.0) * (4 - length)[:, None]

    for _ in range(2):
        log = log_joint()
        weight = np.exp(log - logsumexp(log, axis=1, keepdims=True))[..., None] * there[:, None]
        flow = np.array(
            [[(weight * ((before == j) & (paths == k))).sum() for k in (0, 1)] for j in (0, 1)]
        )
        move = flow / flow.sum(1, keepdims=True)
        at = [(weight * (paths == k)).sum(1) for k in (0, 1)]
        loc = np.array([(a * x).sum() / a.sum() for a in at])
    np.testing.assert_allclose(fit.params["move"], move)
    np.testing.assert_allclose(fit.params["loc"], loc)
    np.testing.assert_allclose(fit.log_likelihood, logsumexp(log_joint(), axis=1).sum())
    np.testing.assert_allclose(np.concatenate(list(fit.log_prob())), logsumexp(log_joint(), axis=1))
    assert [r.shape for r in fit.responsibilities()] == [(4, 25, 2), (4, 25, 2), (4, 10, 2)]


@pytest.mark.parametrize("posterior", [False, True])
def test_whole_groups_are_rows_of_their_own(x64, posterior):
    """Three numbers of a group share its class; EM by hand, with one class each."""
    x = RNG.normal(Z[:, None], 1.0, (N, 3))
    init = {"probs": np.array([0.5, 0.5]), "loc": np.array([-1.0, 1.0])}
    objective = "posterior" if posterior else "likelihood"
    run = em.EM(groups, objective=objective, accelerate=None, max_steps=2).run
    fit = run(0, *batches(x), init_params=init)
    probs, loc = init["probs"], init["loc"]
    for _ in range(2):
        log_joint = np.log(probs) - ((x[:, :, None] - loc) ** 2).sum(1) / 2
        resp = np.exp(log_joint - log_joint.max(1, keepdims=True))
        resp /= resp.sum(1, keepdims=True)
        probs, loc = resp.mean(0), (resp.T @ x.sum(1)) / (3 * resp.sum(0))
    np.testing.assert_allclose(fit.params["loc"], loc)
    np.testing.assert_allclose(fit.params["probs"], probs)


@pytest.mark.parametrize(
    ("model", "arrays", "words"),
    [
        (centred, (X,), "gives rows another density when it is called with other rows"),
        (counted, (X,), "gives rows another weight"),
        (wide, (X,), "'x' has no sufficient statistics, .* takes 70 parameters at once"),
        (beside, (X,), "'penalty' stands beside the rows of 'z'"),
        (needs_values, (X, Z), "needs the values of an array in Python"),
        (by_index, (X, np.arange(N) % 7), r"'z' has \(7,\) values for a batch of 150 rows"),
    ],
)
def test_refused_models(model, arrays, words):
    with pytest.raises(ValueError, match=words):
        em.EM(model).run(0, *batches(*arrays))


def test_refused_options():
    with pytest.raises(ValueError, match="init_responsibilities are of all rows at once"):
        em.EM(normals).run(0, *batches(X), init_responsibilities=np.ones((N, 2)))
    with pytest.raises(ValueError, match="batches of 4 rows are too few for 2 components"):
        em.EM(normals).run(0, *batches(X, size=4))
    one = em.Batches(X)
    with pytest.raises(ValueError, match="one Batches stands for two arguments"):
        em.EM(normals).run(0, one, one)


def test_bad_data_are_named_by_batch(x64):
    bad = Z.copy()
    bad[333] = 4
    with pytest.raises(ValueError, match=r"batch of rows 300 to 449, .* at row 33 is out of range"):
        em.EM(normals).run(0, *batches(X, bad), init_params=START)


START = {"probs": np.array([0.5, 0.5]), "loc": np.array([-1.0, 1.0]), "scale": np.array([1.0, 1.0])}
