"""Legal ways to write a mixture that are not to be refused, nor to crash."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.distributions import constraints
from numpyro.infer.reparam import LocScaleReparam
from numpyro.infer.util import log_density
from numpyro.ops.indexing import Vindex
from scipy import special, stats

from mixpyro import em
from mixpyro.inference import marginalize

from .case import Case, check_density, check_fit, log_prior, positive, real, simplex, tree, unit

pytestmark = pytest.mark.usefixtures("x64")

_rng = np.random.default_rng(4)
N = 24
HALF = np.arange(N) < N // 2
X = np.where(HALF, -1.5, 2.0) + _rng.normal(size=N)
Y = np.stack([X, _rng.normal(size=N) + HALF], 1)
CASES: dict[str, Case] = {}
NORMALS = {"weights": simplex(2), "loc": real(2), "scale": positive()}


def normals():
    """Weights, locations, one scale."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]).to_event(1))
    scale = numpyro.sample("scale", dist.HalfNormal(3))
    return weights, loc, scale


def mixed(weights, by_class):
    return special.logsumexp(np.log(weights) + by_class, axis=-1).sum()


def normal_mixture(p, x=X):
    return mixed(p["weights"], stats.norm.logpdf(x[:, None], p["loc"], p["scale"]))


# ---- one z for all data -------------------------------------------------------------------------

TIME = np.arange(40)
EVENTS = np.where(TIME < 17, _rng.poisson(4.0, 40), _rng.poisson(1.0, 40))


def changepoint(y):
    before = numpyro.sample("before", dist.Gamma(2, 1))
    after = numpyro.sample("after", dist.Gamma(2, 1))
    z = numpyro.sample("z", dist.Categorical(jnp.full(40, 1 / 40)))
    with numpyro.plate("years", y.shape[0]):
        numpyro.sample("y", dist.Poisson(jnp.where(jnp.arange(40) < z, before, after)), obs=y)


def changepoint_likelihood(p):
    rate = np.where(TIME[:, None] > TIME, p["before"], p["after"])
    return special.logsumexp(stats.poisson.logpmf(EVENTS, rate).sum(1)) - np.log(40)


CASES["a changepoint"] = Case(
    changepoint, (EVENTS,), changepoint_likelihood, {"before": positive(), "after": positive()}
)


def sites_in_a_loop(x):
    weights, loc, scale = normals()
    with numpyro.plate("rows", 5):
        z = numpyro.sample("z", dist.Categorical(weights))
    for i in range(5):
        numpyro.sample(f"y{i}", dist.Normal(loc[z[i]], scale), obs=x[i])


CASES["a loop over observations"] = Case(
    sites_in_a_loop,
    (X[10:15],),
    lambda p: normal_mixture(p, X[10:15]),
    NORMALS,
    outcome="either",
    words="'(z|y[0-4])'",
    optimum=False,  # five rows of free scale: the likelihood has no maximum
)


def classes_in_a_loop(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]).to_event(1))
    z = 0
    for t in range(x.shape[0]):
        z = numpyro.sample(
            f"z{t}", dist.Categorical(weights if t == 0 else Vindex(jnp.asarray(P))[z])
        )
        numpyro.sample(f"y{t}", dist.Normal(loc[z], 1.0), obs=x[t])


P = np.array([[0.9, 0.1], [0.2, 0.8]])


def test_too_many_combinations_are_refused_before_anything_is_allocated():
    series = _rng.normal(size=30)
    for run in (
        lambda: em.EM(classes_in_a_loop).run(jax.random.key(0), series),
        lambda: handlers.seed(marginalize(classes_in_a_loop), 0)(series),
    ):
        with pytest.raises(ValueError, match=r"'?z\d+'?.*(combinations|configurations)"):
            run()


def short_loop_likelihood(p):
    found, x = [], X[:4]
    for z in map(np.array, itertools.product((0, 1), repeat=4)):
        score = np.log(p["weights"][z[0]]) + np.log(P)[z[:-1], z[1:]].sum()
        found.append(score + stats.norm.logpdf(x, p["loc"][z], 1.0).sum())
    return special.logsumexp(found)


CASES["a short loop over time"] = Case(
    classes_in_a_loop,
    (X[:4],),
    short_loop_likelihood,
    {"weights": simplex(2), "loc": real(2)},
    outcome="either",
    words=r"'(z\d|y\d)'",
)


# ---- models of annotation, in the form of NumPyro's example -------------------------------------

ITEMS, POSITIONS, LEVELS = 15, 4, 3
ANNOTATORS = np.array([0, 0, 1, 2])
_true = np.arange(ITEMS) % LEVELS
_wrong = _rng.random((ITEMS, POSITIONS)) < 0.3
VOTES = np.where(_wrong, _rng.integers(LEVELS, size=(ITEMS, POSITIONS)), _true[:, None])


def sizes(votes):
    """Concrete numbers from NumPy arrays, as users take them."""
    return int(np.max(votes)) + 1, *votes.shape


def multinomial(votes):
    levels, items, positions = sizes(votes)
    with numpyro.plate("level", levels):
        confusion = numpyro.sample("confusion", dist.Dirichlet(jnp.ones(levels)))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(levels)))
    with numpyro.plate("item", items, dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with numpyro.plate("position", positions):
            numpyro.sample("y", dist.Categorical(confusion[c]), obs=votes)


def dawid_skene(annotators, votes):
    levels, items, positions = sizes(votes)
    with (
        numpyro.plate("annotator", int(np.max(annotators)) + 1, dim=-2),
        numpyro.plate("level", levels),
    ):
        confusion = numpyro.sample("confusion", dist.Dirichlet(jnp.ones(levels)))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(levels)))
    with numpyro.plate("item", items, dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with numpyro.plate("position", positions):
            probs = Vindex(confusion)[annotators, c, :]
            numpyro.sample("y", dist.Categorical(probs), obs=votes)


def mace(annotators, votes):
    """Each vote is a guess or the truth: a class of its own, within the item's."""
    levels, items, positions = sizes(votes)
    with numpyro.plate("annotator", int(np.max(annotators)) + 1):
        guess = numpyro.sample("guess", dist.Dirichlet(jnp.full(levels, 10.0)))
        honest = numpyro.sample("honest", dist.Beta(0.5, 0.5))
    with numpyro.plate("item", items, dim=-2):
        c = numpyro.sample("c", dist.Categorical(logits=jnp.zeros(levels)))
        with numpyro.plate("position", positions):
            s = numpyro.sample("s", dist.Bernoulli(1 - honest[annotators]))
            truth = jax.nn.one_hot(c, levels)
            probs = jnp.where(s[..., None] == 0, truth, guess[annotators])
            numpyro.sample("y", dist.Categorical(probs), obs=votes)


def hierarchical(annotators, votes):
    levels, items, positions = sizes(votes)
    with numpyro.plate("level", levels):
        centre = numpyro.sample("centre", dist.Normal(0, 1).expand([levels - 1]).to_event(1))
        spread = numpyro.sample("spread", dist.HalfNormal(1).expand([levels - 1]).to_event(1))
    with (
        numpyro.plate("annotator", int(np.max(annotators)) + 1, dim=-2),
        numpyro.plate("level", levels),
        handlers.reparam(config={"beta": LocScaleReparam(0)}),
    ):
        beta = numpyro.sample("beta", dist.Normal(centre, spread).to_event(1))
    logits = jnp.pad(beta, [(0, 0)] * (jnp.ndim(beta) - 1) + [(0, 1)])
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(levels)))
    with numpyro.plate("item", items, dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with numpyro.plate("position", positions):
            own = Vindex(logits)[annotators, c, :]
            numpyro.sample("y", dist.Categorical(logits=own), obs=votes)


def item_effects(votes, annotators=None):
    """An item has a continuous effect of its own: no finite mixture."""
    levels, items, positions = sizes(votes)
    with numpyro.plate("level", levels):
        centre = numpyro.sample("centre", dist.Normal(0, 1).expand([levels - 1]).to_event(1))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(levels)))
    with numpyro.plate("item", items, dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with handlers.reparam(config={"theta": LocScaleReparam(0)}):
            theta = numpyro.sample("theta", dist.Normal(centre[c], 1.0).to_event(1))
        logits = jnp.pad(theta, [(0, 0)] * (jnp.ndim(theta) - 1) + [(0, 1)])
        with numpyro.plate("position", positions):
            numpyro.sample("y", dist.Categorical(logits=logits), obs=votes)


def votes_given(confusion):
    """(items, k) the log probability of an item's votes, of (positions, k, levels)."""
    chosen = confusion[np.arange(POSITIONS), :, VOTES]  # (items, positions, k)
    with np.errstate(divide="ignore"):
        return np.log(chosen).sum(1)


def mace_likelihood(p):
    h, g = p["honest"][ANNOTATORS], p["guess"][ANNOTATORS]
    truth = np.eye(LEVELS)
    probs = h[:, None, None] * truth + (1 - h)[:, None, None] * g[:, None, :]
    return mixed(np.full(LEVELS, 1 / LEVELS), votes_given(probs))


def hierarchical_likelihood(p):
    beta = p["centre"] + p["spread"] * p["beta_decentered"]
    logits = np.concatenate([beta, np.zeros((*beta.shape[:-1], 1))], -1)
    return mixed(p["weights"], votes_given(special.softmax(logits, -1)[ANNOTATORS]))


CONFUSION = {"confusion": simplex(LEVELS, LEVELS), "weights": simplex(LEVELS)}
CASES["annotation: multinomial"] = Case(
    multinomial,
    (VOTES,),
    lambda p: mixed(
        p["weights"], votes_given(np.broadcast_to(p["confusion"], (POSITIONS, LEVELS, LEVELS)))
    ),
    CONFUSION,
)
CASES["annotation: Dawid and Skene"] = Case(
    dawid_skene,
    (ANNOTATORS, VOTES),
    lambda p: mixed(p["weights"], votes_given(p["confusion"][ANNOTATORS])),
    {"confusion": simplex(LEVELS, 3, LEVELS), "weights": simplex(LEVELS)},
)
CASES["annotation: MACE"] = Case(
    mace,
    (ANNOTATORS, VOTES),
    mace_likelihood,
    {"guess": simplex(LEVELS, 3), "honest": unit(3)},
)
CASES["annotation: hierarchical"] = Case(
    hierarchical,
    (ANNOTATORS, VOTES),
    hierarchical_likelihood,
    {
        "centre": real(LEVELS, 2),
        "spread": positive(LEVELS, 2),
        "beta_decentered": real(3, LEVELS, 2),
        "weights": simplex(LEVELS),
    },
    optimum=False,  # probabilities of 0 are at infinity in these coordinates
)
CASES["annotation: item effects"] = Case(
    item_effects, (VOTES,), outcome="refused", words="'theta", space={"weights": simplex(LEVELS)}
)


# ---- missing values -----------------------------------------------------------------------------

GAPS = np.array([2, 9, 17])


def imputation(x):
    """NumPyro's idiom: the gaps are sites, drawn from what the model says of them."""
    weights, loc, scale = normals()
    filler = numpyro.sample("filler", dist.Normal(0, 3).expand([3]).mask(False))
    full = jnp.asarray(x).at[GAPS].set(filler)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=full)


def imputed_likelihood(p):
    full = X.copy()
    full[GAPS] = p["filler"]
    return normal_mixture(p, full)


CASES["the imputation idiom"] = Case(
    imputation,
    (np.where(np.isin(np.arange(N), GAPS), 0.0, X),),
    imputed_likelihood,
    NORMALS | {"filler": real(3)},
    outcome="either",
    words="'filler'",
    optimum=False,  # values of the data's own are no parameters of a likelihood
)


# ---- forms of declaration -----------------------------------------------------------------------


def param_tree(x):
    theta = numpyro.param("theta", {"loc": jnp.array([-1.0, 1.0]), "log_scale": jnp.zeros(())})
    weights = numpyro.param("weights", jnp.full(2, 0.5), constraint=constraints.simplex)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        scale = jnp.exp(theta["log_scale"])
        numpyro.sample("x", dist.Normal(theta["loc"][z], scale), obs=x)


CASES["a tree under one numpyro.param"] = Case(
    param_tree,
    (X,),
    lambda p: normal_mixture(
        {
            "weights": p["weights"],
            "loc": p["theta"]["loc"],
            "scale": np.exp(p["theta"]["log_scale"]),
        }
    ),
    {"theta": tree(loc=real(2), log_scale=real()), "weights": simplex(2)},
)


def array_bounds(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    low, high = jnp.array([-4.0, 0.5]), jnp.array([0.5, 6.0])
    loc = numpyro.sample("loc", dist.Uniform(low, high).to_event(1))
    scale = numpyro.sample("scale", dist.Uniform(jnp.array(0.1), jnp.array(9.0)))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


def _between(low, high):
    low, high = np.asarray(low), np.asarray(high)
    inner = unit(*low.shape)
    return type(inner)(inner.size, lambda v: low + (high - low) * inner.value(v))


CASES["supports of arrays"] = Case(
    array_bounds,
    (X,),
    normal_mixture,
    {
        "weights": simplex(2),
        "loc": _between([-4.0, 0.5], [0.5, 6.0]),
        "scale": _between(0.1, 9.0),
    },
)


def in_plate(body, z_shape_of=lambda x: x.shape[0]):
    """A mixture whose observation is written by ``body(z, loc, scale, x)``."""

    def model(x):
        weights, loc, scale = normals()
        with numpyro.plate("rows", z_shape_of(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            body(z, loc, scale, x)

    return model


def same_shape(z, loc, scale, x):
    assert z.shape == x.shape
    numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


def trend(z, loc, scale, x):
    t = jnp.linspace(0, 1, z.shape[0])
    numpyro.sample("x", dist.Normal(loc[z] + t, scale), obs=x)


def reshaped(z, loc, scale, x):
    y = jnp.ravel(x).reshape(z.shape[0], -1)
    fn = dist.Normal(loc[z][:, None], scale).expand(y.shape).to_event(1)
    numpyro.sample("x", fn, obs=y)


CASES["assert z.shape == x.shape"] = Case(in_plate(same_shape), (X,), normal_mixture, NORMALS)
CASES["linspace(0, 1, z.shape[0])"] = Case(
    in_plate(trend), (X,), lambda p: normal_mixture(p, X - np.linspace(0, 1, N)), NORMALS
)
CASES["reshape(z.shape[0], -1)"] = Case(
    in_plate(reshaped),
    (Y,),
    lambda p: mixed(p["weights"], stats.norm.logpdf(Y[..., None], p["loc"], p["scale"]).sum(1)),
    NORMALS,
)


def expanded_to_event(x):
    weights, loc, scale = normals()
    z = numpyro.sample("z", dist.Categorical(weights).expand([x.shape[0]]).to_event(1))
    numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


CASES["z by expand and to_event"] = Case(
    expanded_to_event, (X,), normal_mixture, NORMALS, outcome="either", words="'z'"
)


# ---- neural nets --------------------------------------------------------------------------------


def test_flax_modules():
    flax = pytest.importorskip("flax.linen", reason="flax is not a dependency")
    from numpyro.contrib.module import flax_module

    t = np.linspace(-1, 1, N)[:, None]

    def model(x, t):
        weights, loc, scale = normals()
        net = flax_module("net", flax.Dense(1), input_shape=(1,))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z] + net(t)[:, 0], scale), obs=x)

    fit = em.EM(model, num_restarts=3).run(jax.random.key(0), X, t)
    net = jax.tree.map(np.asarray, fit.params["net$params"])
    x = X - (t @ net["kernel"] + net["bias"])[:, 0]
    assert fit.log_likelihood == pytest.approx(normal_mixture(fit.params, x), rel=1e-8)


QUICK = ("a changepoint", "a tree under one numpyro.param", "supports of arrays")


@pytest.mark.parametrize("name", CASES)
def test_the_density_is_that_written_by_hand(name):
    check_density(CASES[name])


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in CASES]
)
def test_the_fit_is_right_or_refused_by_name(name):
    check_fit(CASES[name])


def test_marginalize_is_read_under_jit_with_arrays_in_the_closure():
    shift = jnp.linspace(0.0, 1.0, N)

    def model(x):
        weights, loc, scale = normals()
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z] + shift, scale), obs=x)

    case = Case(model, (X,), lambda p: normal_mixture(p, X - np.asarray(shift)), NORMALS)
    params = case.params(case.vectors(1)[0])
    density = jax.jit(lambda p: log_density(marginalize(model), (X,), {}, p)[0])
    expected = case.likelihood(params) + log_prior(case, params)
    assert density(params) == pytest.approx(expected, rel=1e-9)
