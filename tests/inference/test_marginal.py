"""The model with z summed out: against brute force over z, and inside NumPyro's own tools."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers, optim
from numpyro.infer import SVI, Predictive, Trace_ELBO, log_likelihood
from numpyro.infer.autoguide import AutoLaplaceApproximation, AutoNormal
from numpyro.infer.util import log_density
from scipy import stats

from mixpyro import em
from mixpyro.inference import marginalize

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
N = 6
_rng = np.random.default_rng(5)
X = _rng.normal(size=N)
Y = _rng.poisson(3.0, size=N)
VALUES = {"weights": [0.3, 0.7], "loc": [-1.0, 1.5], "scale": [0.7, 1.3], "rate": [2.0, 5.0]}


@pytest.fixture(name="params")
def fixture_params(x64):
    return {n: jnp.array(v) for n, v in VALUES.items()}


def model(x=None, y=None, *, z=None, known=None, weights=None, mask=None, n=N):
    shares = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
        rate = numpyro.sample("rate", dist.Gamma(2, 1))
    numpyro.deterministic("gap", loc[1] - loc[0])
    outer = handlers.scale(scale=1.0 if weights is None else weights)
    with numpyro.plate("rows", n), outer:
        z = numpyro.sample("z", dist.Categorical(shares), obs=z, obs_mask=known)
        numpyro.deterministic("centre", loc[z])
        with handlers.mask(mask=True if mask is None else mask):
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)
        numpyro.sample("y", dist.Poisson(rate[z]), obs=y)


def brute_force(params, weights=1.0, known=None, mask=1.0):
    """The log joint density, by summing over every z of every row."""
    shares, loc, scale, rate = (np.asarray(params[n]) for n in VALUES)
    rows = np.stack(
        [
            np.log(shares[j])
            + mask * stats.norm.logpdf(X, loc[j], scale[j])
            + stats.poisson.logpmf(Y, rate[j])
            for j in (0, 1)
        ]
    )
    if known is not None:
        rows = np.where((known == np.arange(2)[:, None]) | (known < 0), rows, -np.inf)
    by_row = np.array([np.log(sum(np.exp(rows[j, i]) for j in (0, 1))) for i in range(N)])
    prior = (
        stats.norm.logpdf(loc, 0, 5).sum()
        + stats.halfnorm.logpdf(scale, scale=3).sum()
        + stats.gamma.logpdf(rate, 2).sum()
    )
    return prior + (weights * by_row).sum(), by_row


WEIGHTS = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0])
LABELS = np.array([0, 1, 0, 1, 0, 1])
KNOWN = np.array([True, False, True, False, False, False])
MASK = np.array([True, False, True, True, False, True])
CASES = {
    "plain": ({}, {}),
    "weights": ({"weights": WEIGHTS}, {"weights": WEIGHTS}),
    "labels": ({"z": LABELS, "known": KNOWN}, {"known": np.where(KNOWN, LABELS, -1)}),
    "all labels": ({"z": LABELS}, {"known": LABELS}),
    "mask": ({"mask": MASK}, {"mask": MASK}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_density_is_the_sum_over_z(case, params):
    given, meaning = CASES[case]
    total, trace = log_density(marginalize(model), (X, Y), given, params)
    expected, by_row = brute_force(params, **meaning)
    assert total == pytest.approx(expected, rel=1e-12)
    sites = [n for n, s in trace.items() if s["type"] == "sample"]
    assert sites == ["weights", "loc", "scale", "rate", "x", "y"]
    np.testing.assert_allclose(trace["y"]["fn"].log_prob(trace["y"]["value"]), by_row, rtol=1e-12)
    assert "gap" in trace
    assert "centre" not in trace


def test_rows_of_weight_0_and_impossible_rows(params):
    """0 times minus infinity is 0; NumPyro itself refuses such weights outside of jit."""

    @jax.jit
    def density(weights):
        far = jnp.asarray(X).at[0].set(jnp.inf)
        return log_density(marginalize(model), (far, Y), {"weights": weights}, params)[0]

    weights = np.where(np.arange(N) == 0, 0.0, 1.0)
    assert density(weights) == pytest.approx(brute_force(params, weights)[0], rel=1e-12)


def test_it_is_the_sum_over_all_configurations_of_numpyro_s_own_joint(params):
    """All 2^6 values of z, each scored by NumPyro, gradient included."""
    every = jnp.array(list(itertools.product((0, 1), repeat=N)))

    def joint(params):
        def one(z):
            return log_density(model, (X, Y), {"z": z}, params)[0]

        return jax.scipy.special.logsumexp(jax.vmap(one)(every))

    def marginal(params):
        return log_density(marginalize(model), (X, Y), {}, params)[0]

    value, slope = jax.jit(jax.value_and_grad(marginal))(params)
    expected, expected_slope = jax.jit(jax.value_and_grad(joint))(params)
    assert float(value) == pytest.approx(float(expected), rel=1e-12)
    for name in VALUES:
        np.testing.assert_allclose(slope[name], expected_slope[name], rtol=1e-10, err_msg=name)


def test_it_is_numpyro_s_enumeration(params):
    from numpyro.contrib.funsor import config_enumerate, enum
    from numpyro.contrib.funsor import log_density as enumerated

    def normals(x):
        shares = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("components", 2):
            loc = numpyro.sample("loc", dist.Normal(0, 5))
        with numpyro.plate("rows", N):
            z = numpyro.sample("z", dist.Categorical(shares))
            numpyro.sample("x", dist.Normal(loc[z], 1), obs=x)

    params = {n: params[n] for n in ("weights", "loc")}

    def ours(params):
        return log_density(marginalize(normals), (X,), {}, params)[0]

    def theirs(params):
        return enumerated(enum(config_enumerate(normals), -2), (X,), {}, params)[0]

    value, slope = jax.value_and_grad(ours)(params)
    expected, expected_slope = jax.value_and_grad(theirs)(params)
    assert float(value) == pytest.approx(float(expected), rel=1e-10)
    for name in params:
        np.testing.assert_allclose(slope[name], expected_slope[name], rtol=1e-8)


def test_rows_by_log_likelihood(params):
    draws = {n: jnp.stack([v, 0.9 * v]) for n, v in params.items() if n != "weights"}
    draws["weights"] = jnp.stack([params["weights"], params["weights"][::-1]])
    found = log_likelihood(marginalize(model), draws, X, Y, weights=WEIGHTS)
    assert found["x"].shape == found["y"].shape == (2, N)
    for s in (0, 1):
        by_row = brute_force({n: v[s] for n, v in draws.items()})[1]
        np.testing.assert_allclose(found["x"][s] + found["y"][s], by_row, rtol=1e-10)


def one_site(x=None, *, n=4000, k=2, batch=None):
    """With a prior on the prior, which EM refuses, and a plate that may be subsampled."""
    concentration = numpyro.sample("concentration", dist.Gamma(2, 1))
    shares = numpyro.sample("weights", dist.Dirichlet(jnp.full(k, concentration)))
    with numpyro.plate("components", k):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
    with numpyro.plate("rows", n if x is None else len(x), subsample_size=batch) as rows:
        z = numpyro.sample("z", dist.Categorical(shares))
        numpyro.sample("x", dist.Normal(loc[z], 1), obs=None if x is None else x[rows])


def test_predictive_draws_z_and_x(params):
    one = {n: params[n][None] for n in ("weights", "loc")} | {"concentration": jnp.ones(1)}
    drawn = Predictive(marginalize(one_site), one)(KEY)
    assert drawn["z"].shape == drawn["x"].shape == (1, 4000)
    assert drawn["z"].mean() == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / 4000))
    for j in (0, 1):
        mine = drawn["x"][drawn["z"] == j]
        assert mine.mean() == pytest.approx(params["loc"][j], abs=4 / np.sqrt(mine.size))
    # With data it returns them, or draws them anew when asked to.
    x = np.asarray(drawn["x"][0])
    again = Predictive(marginalize(one_site), one)(KEY, x)
    np.testing.assert_array_equal(again["x"][0], x)
    new = Predictive(handlers.uncondition(marginalize(one_site)), one)(KEY, x)["x"][0]
    mean, variance = -0.3 + 0.7 * 1.5, 1 + 0.21 * 2.5**2
    assert new.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 4000))


def test_minibatches_are_unbiased_and_scaled(params):
    """The batch's rows, by their own indices, count n / batch times."""
    x = np.linspace(-3, 3, 20)
    params = {"concentration": jnp.ones(()), "weights": params["weights"], "loc": params["loc"]}
    seeded = handlers.seed(marginalize(one_site), KEY)
    _, trace = log_density(seeded, (x,), {"batch": 5}, params)
    rows = np.asarray(trace["rows"]["value"])
    site = trace["x"]
    np.testing.assert_array_equal(site["value"], x[rows])
    density = sum(params["weights"][j] * stats.norm.pdf(x[rows], params["loc"][j]) for j in (0, 1))
    np.testing.assert_allclose(site["fn"].log_prob(site["value"]), np.log(density), rtol=1e-12)
    assert site["scale"] == 4
    assert [f.name for f in site["cond_indep_stack"]] == ["rows"]


@pytest.mark.parametrize(
    "guide", [AutoNormal, pytest.param(AutoLaplaceApproximation, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_guides_climb(guide):
    """Data as arguments of a compiled update, minibatches included."""
    x = jnp.where(jnp.arange(60) < 40, -2.0, 2.0) + jax.random.normal(KEY, (60,)) / 2
    target = marginalize(functools.partial(one_site, batch=30))
    svi = SVI(target, guide(target), optim.Adam(0.1), Trace_ELBO())
    state = jax.jit(svi.init)(KEY, x)
    update = jax.jit(svi.update)
    losses = []
    for _ in range(150):
        state, loss = update(state, x)
        losses.append(float(loss))
    assert np.isfinite(losses).all()
    found = svi.guide.median(svi.get_params(state))
    np.testing.assert_allclose(np.sort(found["loc"]), [-2, 2], atol=0.6)


def test_what_it_cannot_do_it_says():
    with pytest.raises(ValueError, match="callable"):
        marginalize(3)
    other = handlers.condition(marginalize(one_site), {"x": jnp.zeros(4)})
    with pytest.raises(ValueError, match="condition the model before"):
        log_density(handlers.seed(other, KEY), (jnp.ones(4),), {}, {})
    several = handlers.seed(handlers.uncondition(marginalize(model)), KEY)
    with pytest.raises(NotImplementedError, match="several observed sites"):
        several(X, Y)
    with pytest.raises(ValueError, match="no discrete latent"):
        em.EM(marginalize(one_site)).run(KEY, X)


def test_values_held_fixed_stay_so(params):
    held = marginalize(handlers.condition(model, {"scale": params["scale"]}))
    free = {n: v for n, v in params.items() if n != "scale"}
    total, _ = log_density(held, (X, Y), {}, free)
    assert total == pytest.approx(brute_force(params)[0], rel=1e-12)


def test_classes_of_rows_within_classes_of_groups_are_summed_out():
    """Against a sum by hand over the class of each group and of each of its rows."""
    rng = np.random.default_rng(6)
    y, group = rng.normal(size=12), np.repeat(np.arange(4), 3)

    def nested(y, group):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        within = numpyro.sample("within", dist.Beta(1, 1).expand([2]))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("groups", 4):
            z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("rows", y.shape[0]):
            c = numpyro.sample("c", dist.Bernoulli(within[z[group]]))
            numpyro.sample("y", dist.Normal(loc[c], 1.0), obs=y)

    params = {
        "weights": np.array([0.3, 0.7]),
        "within": np.array([0.2, 0.9]),
        "loc": np.array([-1.0, 1.5]),
    }
    trace = handlers.trace(handlers.substitute(marginalize(nested), data=params)).get_trace(
        y, group
    )
    assert set(trace) - {"groups", "rows"} == {*params, "y"}
    chance = np.stack([1 - params["within"], params["within"]], -1)
    rows = (chance[:, None] * np.exp(-((y[:, None] - params["loc"]) ** 2) / 2)).sum(-1)
    rows = rows / np.sqrt(2 * np.pi)
    total = np.log(params["weights"] @ rows.reshape(2, 4, 3).prod(2))
    np.testing.assert_allclose(trace["y"]["fn"].log_prob(trace["y"]["value"]), total, rtol=1e-10)
