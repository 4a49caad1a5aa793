"""Chains and networks of classes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan
from scipy import special, stats

from ..case import Case, positive, simplex, unit
from .data import COLUMNS, LINKS, ROWS, SEQUENCES, X
from .normals import LOCATIONS, normals_of_scale_one, shares

CASES: dict[str, Case] = {}


# ---- 14. chains ---------------------------------------------------------------------------------


def hidden_markov(y):
    """Sequences side by side, as in NumPyro's own example: the first state is 0."""
    transition = numpyro.sample("transition", dist.Dirichlet(jnp.ones((2, 2))).to_event(1))
    rate = numpyro.sample("rate", dist.Gamma(2, 1).expand([2]).to_event(1))

    def step(z, y):
        with numpyro.plate("sequences", y.shape[0]):
            z = numpyro.sample("z", dist.Categorical(transition[z]))
            numpyro.sample("y", dist.Poisson(rate[z]), obs=y)
        return z, None

    scan(step, jnp.zeros(y.shape[1], int), y)


def forward(p):
    total = 0.0
    for y in SEQUENCES.T:
        alpha = np.log([1.0, 1e-300])
        for count in y:
            alpha = special.logsumexp(alpha[:, None] + np.log(p["transition"]), 0)
            alpha = alpha + stats.poisson.logpmf(count, p["rate"])
        total += special.logsumexp(alpha)
    return total


CASES["a hidden Markov model by scan"] = Case(
    hidden_markov,
    (SEQUENCES,),
    forward,
    {"transition": simplex(2, 2), "rate": positive(2)},
)

FEW = 8


def cumulated(x):
    """The number of changes so far: an associative scan over z."""
    weights, loc, _ = normals_of_scale_one()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        level = jax.lax.associative_scan(jnp.add, z)
        numpyro.sample("x", dist.Normal(loc[0] + loc[1] * level, 1.0), obs=x)


def by_enumeration(mean):
    """The likelihood of few rows by all their configurations of two classes."""

    def likelihood(p):
        found = []
        for z in map(np.array, itertools.product((0, 1), repeat=FEW)):
            score = np.log(p["weights"])[z].sum()
            found.append(score + stats.norm.logpdf(X[:FEW], mean(p, z), 1.0).sum())
        return special.logsumexp(found)

    return likelihood


CASES["an associative scan"] = Case(
    cumulated,
    (X[:FEW],),
    by_enumeration(lambda p, z: p["loc"][0] + p["loc"][1] * np.cumsum(z)),
    LOCATIONS,
    outcome="either",
    words="'[zx]'",
)


# ---- 16. networks, shapes of z ------------------------------------------------------------------


def two_plates(y):
    weights = shares()
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2, 2]).to_event(2))
    senders = numpyro.plate("senders", y.shape[0], dim=-2)
    receivers = numpyro.plate("receivers", y.shape[1], dim=-1)
    with senders:
        z = numpyro.sample("z", dist.Categorical(weights))
    with receivers:
        u = numpyro.sample("u", dist.Categorical(weights))
    with senders, receivers:
        numpyro.sample("y", dist.Bernoulli(p[z, u]), obs=y)


def two_plates_likelihood(p):
    found = []
    for z in itertools.product((0, 1), repeat=ROWS):
        for u in itertools.product((0, 1), repeat=COLUMNS):
            probs = p["p"][np.ix_(z, u)]
            score = np.log(p["weights"])[[*z, *u]].sum()
            found.append(score + stats.bernoulli.logpmf(LINKS, probs).sum())
    return special.logsumexp(found)


def one_plate(y):
    weights = shares()
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2, 2]).to_event(2))
    with numpyro.plate("nodes", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
    numpyro.sample("y", dist.Bernoulli(p[z[:, None], z]).to_event(2), obs=y)


def one_plate_likelihood(p):
    found = []
    for z in map(np.array, itertools.product((0, 1), repeat=ROWS)):
        probs = p["p"][z[:, None], z]
        score = np.log(p["weights"])[z].sum()
        found.append(score + stats.bernoulli.logpmf(LINKS, probs).sum())
    return special.logsumexp(found)


NETWORK = {"weights": simplex(2), "p": unit(2, 2)}
CASES["a block model of two plates"] = Case(
    two_plates, (LINKS,), two_plates_likelihood, NETWORK, outcome="either", words="'[zuy]'"
)
CASES["a block model of one plate"] = Case(
    one_plate, (LINKS,), one_plate_likelihood, NETWORK, outcome="either", words="'[zy]'"
)
