"""Chains that begin before their scan, or have classes of sequences, and all of their paths."""

import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.contrib.control_flow import scan
from scipy.special import logsumexp

from mixpyro.em.machine.by_numpy.interpret import interpreted

from .chain_forms import dirichlet, normals, scales

RNG = np.random.default_rng(4)
SERIES = RNG.normal(size=5)
PAIR = RNG.normal(size=(4, 2))


@dataclass(frozen=True)
class Outside:
    """A model; ``hidden`` {site: (shape, states)} as NumPyro has them, ``classes`` without time.

    ``firsts`` {site of the scan: the one before it}. Where ``ends``, sequences have so many steps.
    """

    model: object
    args: tuple
    hidden: dict
    firsts: dict
    classes: tuple = ()
    ends: tuple = ()


def first_and_its_observation(x):
    initial, transition = dirichlet("initial", 2), dirichlet("transition", 2, 2)
    loc, scale = normals("loc", 2), scales("scale", 2)
    z = numpyro.sample("z_0", dist.Categorical(initial))
    numpyro.sample("x_0", dist.Normal(loc[z], scale[z]), obs=x[0])

    def step(z, x):
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)
        return z, None

    scan(step, z, x[1:])


def first_unobserved(x):
    initial, transition, loc = (
        dirichlet("initial", 2),
        dirichlet("transition", 2, 2),
        normals("loc", 2),
    )
    z = numpyro.sample("begin", dist.Categorical(initial))

    def step(z, x):
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return z, z

    _, zs = scan(step, z, x)
    numpyro.deterministic("path", zs)


def ragged_and_autoregressive(x, lengths):
    """In plates, of unequal lengths; the observation before is in the carry."""
    initial, transition = dirichlet("initial", 2), dirichlet("transition", 2, 2)
    loc, phi, scale = normals("loc", 2), normals("phi", 2), scales("scale", 2)
    with numpyro.plate("sequences", 2):
        z = numpyro.sample("z_0", dist.Categorical(initial))
        x0 = numpyro.sample("x_0", dist.Normal(loc[z], scale[z]), obs=x[0])

    def step(carry, x):
        z, before, t = carry
        with numpyro.plate("sequences", 2), handlers.mask(mask=t < lengths):
            z = numpyro.sample("z", dist.Categorical(transition[z]))
            x = numpyro.sample("x", dist.Normal(loc[z] + phi[z] * before, scale[z]), obs=x)
        return (z, x, t + 1), None

    scan(step, (z, x0, 1), x[1:])


def two_chains(x):
    a, b, loc = dirichlet("a", 2, 2), dirichlet("b", 2, 2), normals("loc", 2, 2)
    w = numpyro.sample("w_0", dist.Categorical(a[0]))
    v = numpyro.sample("v_0", dist.Categorical(b[w]))
    numpyro.sample("x_0", dist.Normal(loc[w, v], 1.0), obs=x[0])

    def step(carry, x):
        w, v = carry
        w = numpyro.sample("w", dist.Categorical(a[w]))
        v = numpyro.sample("v", dist.Categorical(b[v]))
        numpyro.sample("x", dist.Normal(loc[w, v], 1.0), obs=x)
        return (w, v), None

    scan(step, (w, v), x[1:])


def class_of_transitions(x, lengths):
    """Mixed latent transition analysis: transitions by the class of the sequence."""
    weights, initial = dirichlet("weights", 2), dirichlet("initial", 2, 2)
    transition, loc = dirichlet("transition", 2, 2, 2), normals("loc", 2)
    with numpyro.plate("sequences", 2):
        kind = numpyro.sample("kind", dist.Categorical(weights))

    def step(carry, x):
        z, t = carry
        with numpyro.plate("sequences", 2), handlers.mask(mask=t < lengths):
            probs = jnp.where(t == 0, initial[kind], transition[kind, z])
            z = numpyro.sample("z", dist.Categorical(probs))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return (z, t + 1), None

    scan(step, (jnp.zeros(2, int), 0), x)


def class_and_first(x, sex, c):
    """The class depends on a covariate, has an indicator, and moves the emissions."""
    slope, initial = normals("slope", 2), dirichlet("initial", 2, 2)
    transition, loc, p = dirichlet("transition", 2, 2), normals("loc", 2, 2), dirichlet("p", 2, 2)
    with numpyro.plate("sequences", 2):
        kind = numpyro.sample("kind", dist.Bernoulli(logits=slope[0] + slope[1] * c))
        numpyro.sample("sex", dist.Categorical(p[kind]), obs=sex)
        z = numpyro.sample("z_0", dist.Categorical(initial[kind]))
        numpyro.sample("x_0", dist.Normal(loc[kind, z], 1.0), obs=x[0])

    def step(z, x):
        with numpyro.plate("sequences", 2):
            z = numpyro.sample("z", dist.Categorical(transition[z]))
            numpyro.sample("x", dist.Normal(loc[kind, z], 1.0), obs=x)
        return z, None

    scan(step, z, x[1:])


ONE = {"z_0": ((), 2), "z": ((4,), 2)}
TWO = {"z_0": ((2,), 2), "z": ((3, 2), 2)}
KIND = {"kind": ((2,), 2)}
LENGTHS = np.array([4, 2])
FORMS = {
    "first and its observation": Outside(first_and_its_observation, (SERIES,), ONE, {"z": "z_0"}),
    "first unobserved": Outside(
        first_unobserved, (SERIES[:4],), {"begin": ((), 2), "z": ((4,), 2)}, {"z": "begin"}
    ),
    "ragged and autoregressive": Outside(
        ragged_and_autoregressive, (PAIR, LENGTHS), TWO, {"z": "z_0"}, ends=(4, 2)
    ),
    "two chains": Outside(
        two_chains,
        (SERIES[:4],),
        {"w_0": ((), 2), "v_0": ((), 2), "w": ((3,), 2), "v": ((3,), 2)},
        {"w": "w_0", "v": "v_0"},
    ),
    "class of transitions": Outside(
        class_of_transitions,
        (PAIR, LENGTHS),
        {**KIND, "z": ((4, 2), 2)},
        {},
        ("kind",),
        (4, 2),
    ),
    "class and first": Outside(
        class_and_first,
        (PAIR, np.array([0, 1]), np.array([0.3, -1.0])),
        {**KIND, **TWO},
        {"z": "z_0"},
        ("kind",),
    ),
}


def by_hand(form, params, possible=None):
    """The log-likelihood and {z: (t, ..., k)} given all, by NumPyro's own density of each path.

    ``possible`` says which of {z: (paths, ...)} there may be.
    """
    sizes = {n: int(np.prod(shape)) for n, (shape, _) in form.hidden.items()}
    states = [k for n, (_, k) in form.hidden.items() for _ in range(sizes[n])]
    every = np.array(list(itertools.product(*map(range, states))))
    places = np.cumsum([0, *sizes.values()])
    paths = {
        n: every[:, a:b].reshape(-1, *form.hidden[n][0])
        for n, a, b in zip(sizes, places[:-1], places[1:], strict=True)
    }

    def one(path, params):
        model = handlers.substitute(handlers.substitute(form.model, params), path)
        trace = handlers.trace(handlers.seed(model, 0)).get_trace(*form.args)
        scored = {n: s for n, s in trace.items() if s["type"] == "sample" and n not in params}
        return sum(jnp.sum(s["fn"].log_prob(s["value"])) for s in scored.values())

    each = np.asarray(interpreted(jax.vmap(one, (0, None)))(paths, dict(params)))
    if possible is not None:
        each = np.where(possible(paths), each, -np.inf)
    masked = sum(len(PAIR) - end for end in form.ends)  # each is counted with all of its states
    total = logsumexp(each) - masked * np.log(2)
    weights = np.exp(each - logsumexp(each))
    for later, first in form.firsts.items():
        paths[later] = np.concatenate([paths.pop(first)[:, None], paths[later]], 1)
    return total, {
        n: np.einsum("p,p...k->...k", weights, p[..., None] == np.arange(2))
        for n, p in paths.items()
    }
