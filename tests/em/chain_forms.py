"""Hidden Markov models in the forms that users write, and all of their paths one by one."""

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

RNG = np.random.default_rng(0)
COUNTS = np.array([3, 5, 2, 8, 1, 9, 7])
SERIES = RNG.normal(size=6)
PANEL = RNG.normal(size=(5, 3))


@dataclass(frozen=True)
class Form:
    """A model and its data; ``latents`` have their number of states, ``observed`` the other sites.

    ``sequences`` side by side, of which the last ``ended`` ones have only so many steps.
    """

    model: object
    args: tuple
    latents: dict
    observed: tuple
    length: int
    sequences: int = 1
    ends: tuple = ()

    def steps(self, sequence):
        return self.ends[sequence] if self.ends else self.length


def dirichlet(name, *shape):
    prior = dist.Dirichlet(jnp.ones(shape))
    return numpyro.sample(name, prior.to_event(len(shape) - 1))


def normals(name, *shape):
    return numpyro.sample(name, dist.Normal(0, 2).expand(shape).to_event(len(shape)))


def scales(name, *shape):
    return numpyro.sample(name, dist.HalfNormal(2).expand(shape).to_event(len(shape)))


def earthquakes(counts, num_states):
    initial = numpyro.sample("initial", dist.Dirichlet(jnp.ones(num_states)))
    with numpyro.plate("states", num_states):
        transition = numpyro.sample("transition", dist.Dirichlet(jnp.ones(num_states)))
        rate = numpyro.sample("rate", dist.Gamma(2.0, 0.1))

    def step(carry, count):
        z, t = carry
        probs = jnp.where(t == 0, initial, transition[z])
        z = numpyro.sample("z", dist.Categorical(probs))
        numpyro.sample("counts", dist.Poisson(rate[z]), obs=count)
        return (z, t + 1), None

    scan(step, (0, 0), counts)


def fixed_first_state(y):
    transition, rate = dirichlet("transition", 2, 2), scales("rate", 2)

    def step(z, y):
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        numpyro.sample("y", dist.Poisson(rate[z]), obs=y)
        return z, None

    scan(step, 0, y)


def time_among_the_data(y, t):
    initial, transition, rate = (
        dirichlet("initial", 2),
        dirichlet("transition", 2, 2),
        scales("rate", 2),
    )

    def step(z, xs):
        y, t = xs
        z = numpyro.sample("z", dist.Categorical(jnp.where(t == 0, initial, transition[z])))
        numpyro.sample("y", dist.Poisson(rate[z]), obs=y)
        return z, None

    scan(step, 0, (y, t))


def ragged(x, lengths):
    initial, transition = dirichlet("initial", 2), dirichlet("transition", 2, 2)
    loc, scale = normals("loc", 2), scales("scale", 2)

    def step(carry, x):
        z, t = carry
        with numpyro.plate("sequences", x.shape[0]), handlers.mask(mask=t < lengths):
            z = numpyro.sample("z", dist.Categorical(jnp.where(t == 0, initial, transition[z])))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)
        return (z, t + 1), None

    scan(step, (jnp.zeros(x.shape[1], int), 0), x)


def covariates_on_transitions(x, c):
    a, b, loc = normals("a", 2), normals("b", 2), normals("loc", 2)

    def step(z, xs):
        x, c = xs
        z = numpyro.sample("z", dist.Bernoulli(logits=a[z] + b[z] * c))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return z, None

    scan(step, 0, (x, c))


def observation_before(x):
    transition, scale = dirichlet("transition", 2, 2), scales("scale", 2)
    loc, phi = normals("loc", 2), normals("phi", 2)

    def step(carry, x):
        z, before = carry
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        x = numpyro.sample("x", dist.Normal(loc[z] + phi[z] * before, scale[z]), obs=x)
        return (z, x), None

    scan(step, (0, 0.0), x)


def items_in_a_plate(y):
    initial, transition = dirichlet("initial", 2), dirichlet("transition", 2, 2)
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2, 2]).to_event(2))
    m = normals("m", 2)

    def step(carry, y):
        z, t = carry
        with numpyro.plate("people", 3):
            z = numpyro.sample("z", dist.Categorical(jnp.where(t == 0, initial, transition[z])))
            numpyro.sample("u", dist.Normal(m[z], 1.0), obs=y.sum(0) * 1.0)
            with numpyro.plate("items", 2):
                numpyro.sample("y", dist.Bernoulli(p[z, jnp.arange(2)[:, None]]), obs=y)
        return (z, t + 1), None

    scan(step, (jnp.zeros(3, int), 0), y)


def tied_and_forbidden(x):
    """State 1 is never left; both states share the shape of their normals."""
    stay, loc = dirichlet("stay", 2), normals("loc", 2, 2)
    tril = numpyro.sample("tril", dist.LKJCholesky(2, 1.0))
    transition = jnp.stack([stay, jnp.array([0.0, 1.0])])

    def step(z, x):
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        numpyro.sample("x", dist.MultivariateNormal(loc[z], scale_tril=tril), obs=x)
        return z, None

    scan(step, 0, x)


def observed_outside(x):
    transition, loc = dirichlet("transition", 2, 2), normals("loc", 2)

    def step(z, _):
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        return z, z

    _, zs = scan(step, 0, None, length=x.shape[0])
    numpyro.sample("x", dist.Normal(loc[zs], 1.0), obs=x)


def two_chains(x):
    """The second chain depends on the first (a factorial model), in a plate with its own rank."""
    a, b, loc = dirichlet("a", 2, 2), dirichlet("b", 2, 2, 2), normals("loc", 2, 2)

    def step(carry, x):
        w, v = carry
        with numpyro.plate("sequences", x.shape[0], dim=-2):
            w = numpyro.sample("w", dist.Categorical(a[w]))
            v = numpyro.sample("v", dist.Categorical(b[w, v]))
            with numpyro.plate("columns", 2, dim=-1):
                numpyro.sample("x", dist.Normal(loc[w, v], 1.0), obs=x)
        return (w, v), None

    begin = jnp.zeros((x.shape[1], 1), int)
    scan(step, (begin, begin), x)


def weighted(x, w):
    initial, transition = dirichlet("initial", 2), dirichlet("transition", 2, 2)
    loc = normals("loc", 2)

    def step(carry, x):
        z, t = carry
        with numpyro.plate("sequences", 3), handlers.scale(scale=w):
            z = numpyro.sample("z", dist.Categorical(jnp.where(t == 0, initial, transition[z])))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return (z, t + 1), None

    scan(step, (jnp.zeros(3, int), 0), x)


Z = {"z": 2}
FORMS = {
    "initial by where": Form(earthquakes, (COUNTS, 3), {"z": 3}, ("counts",), 7),
    "fixed first state": Form(fixed_first_state, (COUNTS,), Z, ("y",), 7),
    "time among the data": Form(time_among_the_data, (COUNTS, np.arange(7)), Z, ("y",), 7),
    "ragged": Form(ragged, (PANEL, np.array([5, 2, 4])), Z, ("x",), 5, 3, (5, 2, 4)),
    "covariates": Form(covariates_on_transitions, (SERIES, RNG.normal(size=6)), Z, ("x",), 6),
    "observation before": Form(observation_before, (SERIES,), Z, ("x",), 6),
    "items in a plate": Form(
        items_in_a_plate, (RNG.integers(0, 2, size=(5, 2, 3)),), Z, ("u", "y"), 5, 3
    ),
    "tied and forbidden": Form(tied_and_forbidden, (RNG.normal(size=(6, 2)),), Z, ("x",), 6),
    "observed outside": Form(observed_outside, (SERIES,), Z, ("x",), 6),
    "two chains": Form(two_chains, (RNG.normal(size=(4, 3, 2)),), {"w": 2, "v": 2}, ("x",), 4, 3),
    "weighted": Form(weighted, (PANEL, np.array([1.0, 2.0, 3.0])), Z, ("x",), 5, 3),
}


def all_paths(form):
    """A function of parameters: (p, s) the log joint of each path and sequence, by NumPyro's own
    density of the model as it is written; and the paths, {z: (p, t)}."""
    number = int(np.prod(list(form.latents.values())))
    paths = np.array(list(itertools.product(range(number), repeat=form.length)))
    own = dict(
        zip(form.latents, np.unravel_index(paths, tuple(form.latents.values())), strict=True)
    )
    shapes = {}

    def look():
        plain = handlers.trace(handlers.seed(form.model, 0)).get_trace(*form.args)
        shapes.update({name: plain[name]["fn"].batch_shape for name in form.latents})

    jax.eval_shape(look)
    ends = jnp.asarray([form.steps(s) for s in range(form.sequences)])
    there = jnp.arange(form.length)[:, None] < ends

    def one(path, params):
        columns = {n: v.reshape(-1, *[1] * (len(shapes[n]) - 1)) for n, v in path.items()}
        values = {n: jnp.broadcast_to(v, shapes[n]) for n, v in columns.items()}
        model = handlers.substitute(form.model, data={**params, **values})
        trace = handlers.trace(handlers.seed(model, 0)).get_trace(*form.args)
        total = jnp.zeros((form.length, form.sequences))
        for name in (*form.latents, *form.observed):
            log_prob = jnp.asarray(trace[name]["fn"].log_prob(trace[name]["value"]))
            total += log_prob.reshape(form.length, *_split(form, log_prob.shape)).sum((1, 3))
        return jnp.where(there, total, 0).sum(0)

    every = jax.vmap(one, (0, None))
    return lambda params: every({n: jnp.asarray(v) for n, v in own.items()}, params), own


def _split(form, shape):
    """(inner plates, sequences, columns) of a site whose sequences are last, or last but one."""
    rest = int(np.prod(shape[1:])) // form.sequences
    if form.sequences == 1:
        return rest, 1, 1
    last = len(shape) > 2 and shape[1] == form.sequences
    return (1, form.sequences, rest) if last else (rest, form.sequences, 1)


def by_hand(form, params):
    """Of all paths: log p (s,), smoothed probabilities {z: (t, s, k)}, the best {z: (t, s)}."""
    function, paths = all_paths(form)
    each = np.asarray(interpreted(function)(dict(params)))
    total = logsumexp(each, 0) - np.log(_copies(form))
    weights = np.exp(each - logsumexp(each, 0))
    smoothed, best = {}, {}
    for name, k in form.latents.items():
        one_hot = paths[name][..., None] == np.arange(k)  # (p, t, k)
        smoothed[name] = np.einsum("ps,ptk->tsk", weights, one_hot)
        best[name] = paths[name][each.argmax(0)].T
    return total, smoothed, best


def _copies(form):
    """How often a path is counted whose steps after the end are all that differ."""
    number = int(np.prod(list(form.latents.values())))
    return np.array([float(number) ** (form.length - form.steps(s)) for s in range(form.sequences)])
