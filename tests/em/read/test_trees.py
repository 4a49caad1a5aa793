"""Parameters that are pytrees: the same fit as with arrays, named by the leaves of the tree."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers, optim
from numpyro.distributions import constraints
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoDelta
from numpyro.infer.util import log_density
from scipy import optimize, stats

from mixpyro import em
from mixpyro.inference import marginalize, run_laplace, run_nuts

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
_rng = np.random.default_rng(0)
N, K = 80, 2
X = _rng.normal(size=N)
FIRST = _rng.random(N) < 0.4
Y = np.where(FIRST, 1 + 2 * X, -1 - X) + 0.3 * _rng.normal(size=N)
LEAVES = ["lines['intercept']", "lines['slope']"]
HELD = {"slope": np.array([2.0, -1.0]), "intercept": np.array([1.0, -1.0])}


def mixture(x, y, weights, intercept, slope, scale):
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal(intercept[z] + slope[z] * x, scale), obs=y)


def trees(x, y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(K)))
    lines = numpyro.param("lines", {"slope": jnp.zeros(K), "intercept": jnp.zeros(K)})
    scale = numpyro.sample("scale", dist.HalfNormal(1.0))
    mixture(x, y, weights, lines["intercept"], lines["slope"], scale)


def arrays(x, y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(K)))
    intercept = numpyro.param(LEAVES[0], jnp.zeros(K))
    slope = numpyro.param(LEAVES[1], jnp.zeros(K))
    scale = numpyro.sample("scale", dist.HalfNormal(1.0))
    mixture(x, y, weights, intercept, slope, scale)


def nested(x, y):
    """Lists, tuples and dicts within each other, a maker of them, a constraint on every leaf."""
    shares = numpyro.param("shares", [jnp.full(K, 0.5)], constraint=constraints.simplex)
    lines = numpyro.param("lines", lambda key: {"of": [{"slope": jnp.zeros(K)}, (jnp.zeros(K),)]})
    scales = numpyro.param("scales", {"noise": (1,)}, constraint=constraints.positive)
    first, second = lines["of"]
    mixture(x, y, shares[0], second[0], first["slope"], scales["noise"][0])


def by_hand(weights, intercept, slope, scale):
    means = np.asarray(intercept) + X[:, None] * np.asarray(slope)
    return np.log(stats.norm.pdf(Y[:, None], means, scale) @ np.asarray(weights)).sum()


def best(lines=None):
    """scipy's maximum of the likelihood, of the lines too unless they are given."""

    def loss(u):
        share, given = 1 / (1 + np.exp(-u[0])), (u[2:4], u[4:6]) if lines is None else lines
        return -by_hand([share, 1 - share], *given, np.exp(u[1]))

    start = [-0.4, -1.0, *([] if lines is not None else [1.0, -1.0, 2.0, -1.0])]
    return -optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-6}).fun


@pytest.fixture(name="fit", scope="module")
def fixture_fit():
    with jax.enable_x64(True):
        return em.EM(trees, num_restarts=3).run(KEY, X, Y)


@pytest.fixture(name="plain", scope="module")
def fixture_plain():
    with jax.enable_x64(True):
        return em.EM(arrays, num_restarts=3).run(KEY, X, Y)


def test_optimum(fit):
    assert fit.status.ok
    np.testing.assert_allclose(fit.log_likelihood, best(), atol=1e-7)
    lines = fit.params["lines"]
    own = by_hand(fit.params["weights"], lines["intercept"], lines["slope"], fit.params["scale"])
    np.testing.assert_allclose(fit.log_likelihood, own, rtol=1e-12)
    assert fit.num_free_params == 6


def test_params_are_the_sites_and_tables_the_leaves(fit, plain):
    assert list(fit.params) == ["weights", "lines", "scale"]
    assert jax.tree.structure(fit.params["lines"]) == jax.tree.structure(HELD)
    assert list(fit.leaves) == ["weights", *LEAVES, "scale"]
    assert set(fit.standard_errors()) == set(fit.leaves)
    table, expected = fit.summary(), plain.summary()
    assert [f"{leaf}[{j}]" for leaf in LEAVES for j in range(K)] == list(table.index[2:6])
    numbers = ["estimate", "standard_error", "lower", "upper"]
    np.testing.assert_allclose(
        table[numbers].to_numpy(float), expected[numbers].to_numpy(float), rtol=1e-8
    )
    assert str(fit.spec) == str(plain.spec)


def test_nested():
    fit = em.EM(nested, num_restarts=3).run(KEY, X, Y)
    assert fit.status.ok
    np.testing.assert_allclose(fit.log_likelihood, best(), atol=1e-7)
    first, second = fit.params["lines"]["of"]
    own = by_hand(
        fit.params["shares"][0], second[0], first["slope"], fit.params["scales"]["noise"][0]
    )
    np.testing.assert_allclose(fit.log_likelihood, own, rtol=1e-12)
    names = ["shares[0]", "lines['of'][0]['slope']", "lines['of'][1][0]", "scales['noise'][0]"]
    assert list(fit.leaves) == names
    assert fit.num_free_params == 6


def test_rows_and_simulation(fit, plain):
    np.testing.assert_allclose(fit.responsibilities(), plain.responsibilities(), atol=1e-9)
    np.testing.assert_allclose(
        fit.log_prob(X[:50] + 1, Y[:50]), plain.log_prob(X[:50] + 1, Y[:50]), rtol=1e-9
    )
    drawn, expected = fit.sample(KEY), plain.sample(KEY)
    np.testing.assert_allclose(drawn["y"], expected["y"], rtol=1e-9)


def test_a_restriction_takes_what_params_are(fit, plain):
    found = em.wald_test(fit, lambda p: p["lines"]["slope"][0] + 2 * p["lines"]["slope"][1])
    expected = em.wald_test(plain, lambda p: p[LEAVES[1]][0] + 2 * p[LEAVES[1]][1])
    np.testing.assert_allclose(found.statistic, expected.statistic, rtol=1e-8)


@pytest.mark.parametrize("kind", ["weighted", pytest.param("parametric", marks=pytest.mark.slow)])
def test_bootstrap(fit, plain, kind):
    found, expected = (em.bootstrap(f, KEY, num_replicates=5, kind=kind) for f in (fit, plain))
    assert list(found.params) == list(fit.leaves)
    np.testing.assert_allclose(found.params[LEAVES[1]], expected.params[LEAVES[1]], rtol=1e-6)


def test_file(fit, tmp_path):
    fit.save(tmp_path / "fit.npz")
    again = em.load(tmp_path / "fit.npz", trees)
    jax.tree.map(np.testing.assert_array_equal, again.params, fit.params)
    np.testing.assert_array_equal(again.predict(), fit.predict())


def test_copy(fit):
    again = copy.deepcopy(fit)
    jax.tree.map(np.testing.assert_array_equal, again.params, fit.params)


@pytest.mark.parametrize("leaves", [False, True])
def test_init_params(fit, leaves):
    lines = {"slope": [2.0, -1.0], "intercept": [1.0, -1.0]}
    given = {f"lines[{n!r}]": v for n, v in lines.items()} if leaves else {"lines": lines}
    given |= {"weights": [0.4, 0.6], "scale": 0.3}
    if leaves:  # ... or those of params: numbers in lists are leaves, too
        given["lines['slope']"] = np.array(lines["slope"])
    else:
        given["lines"] = {n: np.array(v) for n, v in lines.items()}
    again = em.EM(trees).run(KEY, X, Y, init_params=given)
    assert len(again.restarts) == 1
    np.testing.assert_allclose(again.log_likelihood, fit.log_likelihood, atol=1e-7)
    np.testing.assert_allclose(again.params["lines"]["slope"][0], 2.0, atol=0.2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lines": {"slope": np.zeros(K)}}, r"'lines' is given with the leaves lines\['slope'\];"),
        ({"lines": np.zeros(K)}, "the leaves lines; the site has"),
        ({"lines['slope']": np.zeros(3)}, "has shape"),
    ],
)
def test_init_params_of_another_form(given, words):
    with pytest.raises(ValueError, match=words):
        em.EM(trees).run(KEY, X, Y, init_params=given)


def test_a_tree_that_is_held_fixed():
    model = handlers.substitute(trees, {"lines": jax.tree.map(jnp.asarray, HELD)})
    fit = em.EM(model).run(KEY, X, Y)
    jax.tree.map(np.testing.assert_array_equal, fit.params["lines"], HELD)
    assert fit.num_free_params == 2
    expected = best((HELD["intercept"], HELD["slope"]))
    np.testing.assert_allclose(fit.log_likelihood, expected, atol=1e-7)
    assert fit.standard_errors()["lines['slope']"].mask.all()
    assert (fit.summary().loc["lines['slope'][0]", "note"]) == "fixed"
    density = log_density(marginalize(model), (X, Y), {}, params_of(fit))[0]
    np.testing.assert_allclose(density, fit.log_likelihood + log_prior(fit), rtol=1e-10)
    draws = run_laplace(fit, KEY, num_samples=50)
    assert set(draws.posterior.data_vars) == {"weights", "scale"}


def params_of(fit):
    return {n: fit.params[n] for n in ("weights", "scale")}


def log_prior(fit):
    return stats.halfnorm.logpdf(float(fit.params["scale"]))  # Dirichlet(1, 1) has density 1


def test_marginalize(fit):
    density = log_density(marginalize(trees), (X, Y), {}, fit.params)[0]
    np.testing.assert_allclose(density, fit.log_likelihood + log_prior(fit), rtol=1e-10)
    other = {**fit.params, "lines": HELD}
    density, trace = log_density(marginalize(trees), (X, Y), {}, other)
    expected = by_hand(fit.params["weights"], HELD["intercept"], HELD["slope"], other["scale"])
    np.testing.assert_allclose(density, expected + log_prior(fit), rtol=1e-10)
    assert {n for n, s in trace.items() if s["type"] == "param"} == {"lines"}


@pytest.mark.slow
def test_numpyro_finds_the_same(fit):
    """Its own optimiser of the marginalised model, the pytree among its parameters."""
    model = marginalize(trees)
    svi = SVI(model, AutoDelta(model), optim.Adam(0.05), Trace_ELBO())
    found = svi.run(KEY, 600, X, Y, progress_bar=False).params["lines"]
    for name, value in found.items():
        own = fit.params["lines"][name]
        np.testing.assert_allclose(np.sort(value), np.sort(own), atol=1e-3)


def test_a_bare_parameter_has_no_posterior(fit):
    with pytest.raises(ValueError, match=r"lines\['intercept'\].*declares no prior"):
        run_nuts(fit, KEY, num_warmup=5, num_samples=5)


def refused(words, value, more=None):
    def model(x, y):
        extra = numpyro.param("lines", value)
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(K)))
        scale = numpyro.sample("scale", dist.HalfNormal(1.0))
        if more is not None:
            scale = scale + numpyro.sample(more, dist.HalfNormal(1.0))
        mixture(x, y, weights, extra["intercept"], extra["slope"], scale)

    with pytest.raises(ValueError, match=words):
        em.EM(model).run(KEY, X, Y)


def test_what_is_refused():
    zero = {"slope": jnp.zeros(K), "intercept": jnp.zeros(K)}
    refused(r"lines\['kind'\] of the parameter 'lines' is no array", {**zero, "kind": "line"})
    refused(r"site \"lines\['slope'\]\" is named as a leaf", zero, "lines['slope']")
    refused(
        r"does not reach .*lines\['more'\].*handlers.substitute\(model, \{'lines': value\}\)",
        {**zero, "more": 0.0},
    )
