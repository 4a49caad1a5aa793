"""Chains that are not read are refused by a sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.contrib.control_flow import scan

from mixpyro import em, inference

X = np.random.default_rng(0).normal(size=8)
KEY = jax.random.key(0)


def parameters():
    transition = numpyro.sample("transition", dist.Dirichlet(jnp.ones(2)).expand([2]))
    return transition, numpyro.sample("loc", dist.Normal(0, 5).expand([2]))


def chain(x, **more):
    transition, loc = parameters()

    def step(z, x):
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return z, None

    scan(step, 0, x, **more)


def second_order(x):
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
    transition = numpyro.sample("transition", dist.Dirichlet(jnp.ones(2)).expand([2, 2]))

    def step(carry, x):
        before, z = carry
        new = numpyro.sample("z", dist.Categorical(transition[before, z]))
        numpyro.sample("x", dist.Normal(loc[new], 1.0), obs=x)
        return (z, new), None

    scan(step, (0, 0), x)


def counts_its_visits(x):
    transition, loc = parameters()

    def step(carry, x):
        z, visits = carry
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        numpyro.sample("x", dist.Normal(loc[z] + visits, 1.0), obs=x)
        return (z, visits + z), None

    scan(step, (0, 0), x)


def emission_of_a_pair(x):
    transition, loc = parameters()

    def step(before, x):
        z = numpyro.sample("z", dist.Categorical(transition[before]))
        numpyro.sample("x", dist.Normal(loc[z] + before, 1.0), obs=x)
        return z, None

    scan(step, 0, x)


def first_of_two_plates(x):
    transition, loc = parameters()
    with numpyro.plate("columns", 2):
        z = numpyro.sample("z_0", dist.Categorical(transition[0]))

    def step(z, x):
        z = numpyro.sample("z", dist.Categorical(transition[z[0]]))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return jnp.stack([z, z]), None

    scan(step, z, x[1:])


def class_in_the_carry(x):
    transition, loc = parameters()
    kind = numpyro.sample("kind", dist.Categorical(jnp.ones(2) / 2))

    def step(carry, x):
        z, kind = carry
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        numpyro.sample("x", dist.Normal(loc[z] + kind, 1.0), obs=x)
        return (z, kind), None

    scan(step, (0, kind), x)


def class_after_the_scan(x):
    chain(x)
    numpyro.sample("kind", dist.Categorical(jnp.ones(2) / 2))


def class_without_the_chain(x):
    loc = numpyro.sample("other", dist.Normal(0, 5).expand([2]))
    kind = numpyro.sample("kind", dist.Categorical(jnp.ones(2) / 2))
    numpyro.sample("y", dist.Normal(loc[kind], 1.0), obs=0.3)
    chain(x)


def seen_after_the_scan(x):
    transition, loc = parameters()
    kind = numpyro.sample("kind", dist.Categorical(jnp.ones(2) / 2))

    def step(z, x):
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        numpyro.sample("x", dist.Normal(loc[z] + kind, 1.0), obs=x)
        return z, None

    scan(step, 0, x)
    numpyro.sample("y", dist.Normal(loc[kind], 1.0), obs=0.3)


def states_observed(x):
    transition, loc = parameters()

    def step(z, x):
        z = numpyro.sample("z", dist.Categorical(transition[z]), obs=(x > 0).astype(int))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return z, None

    scan(step, 0, x)


def two_scans(x):
    transition, loc = parameters()

    def step(name):
        def own(z, x):
            z = numpyro.sample(f"z{name}", dist.Categorical(transition[z]))
            numpyro.sample(f"x{name}", dist.Normal(loc[z], 1.0), obs=x)
            return z, None

        return own

    scan(step("a"), 0, x)
    scan(step("b"), 0, x)


def latent_of_each_step(x):
    transition, loc = parameters()

    def step(z, x):
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        error = numpyro.sample("error", dist.Normal(0, 1))
        numpyro.sample("x", dist.Normal(loc[z] + error, 1.0), obs=x)
        return z, None

    scan(step, 0, x)


def different_plates(x):
    transition, loc = parameters()

    def step(carry, x):
        w, z = carry
        w = numpyro.sample("w", dist.Categorical(transition[w]))
        with numpyro.plate("rows", 2):
            z = numpyro.sample("z", dist.Categorical(transition[z]))
            numpyro.sample("x", dist.Normal(loc[z] + w, 1.0), obs=x)
        return (w, z), None

    scan(step, (0, jnp.zeros(2, int)), x.reshape(4, 2))


def last_state_matters(x):
    transition, loc = parameters()

    def step(z, x):
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return z, None

    z, _ = scan(step, 0, x)
    numpyro.sample("end", dist.Normal(loc[z], 1.0), obs=0.3)


def weights_by_time(x):
    transition, loc = parameters()

    def step(z, x):
        z = numpyro.sample("z", dist.Categorical(transition[z]))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return z, None

    with handlers.scale(scale=jnp.arange(1.0, 9.0)):
        scan(step, 0, x)


def subsampled(x):
    transition, loc = parameters()

    def step(z, x):
        with numpyro.plate("sequences", 4, subsample_size=2):
            z = numpyro.sample("z", dist.Categorical(transition[z]))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return z, None

    scan(step, jnp.zeros(2, int), x.reshape(4, 2))


REFUSED = {
    "a subsampled plate": (subsampled, "'sequences'.*subsampled"),
    "second order": (second_order, "first order"),
    "a carry that remembers": (counts_its_visits, "first order"),
    "an emission of two states": (emission_of_a_pair, "'x'.*the step before"),
    "a first state of other plates": (first_of_two_plates, "'z'.*begins before the scan"),
    "a class in the carry": (class_in_the_carry, "'kind' out of the carry"),
    "a class after the scan": (class_after_the_scan, "'kind' stands after the scan"),
    "a class without the chain": (class_without_the_chain, "'kind' outside of it"),
    "what is seen after the scan": (seen_after_the_scan, "'y'.*stands after the scan"),
    "observed states": (states_observed, "'z'.*with_labels"),
    "two scans": (two_scans, "'za' and 'zb' stand in 2 scans"),
    "a continuous latent of each step": (latent_of_each_step, "'error'.*move parameters out"),
    "states of different plates": (different_plates, "different (rows|plates)|'x'"),
    "a site on the last state": (last_state_matters, "'end'"),
    "weights that change over time": (weights_by_time, "time 1"),
    "backwards": (lambda x: chain(x, reverse=True), "backwards"),
    "with a history": (lambda x: chain(x, history=2), "history=2"),
    "one step": (lambda x: chain(x[:1]), "1 step"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused_by_name(name):
    model, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        em.EM(model).run(KEY, X)


def test_observations_by_a_handler_are_refused():
    def model():
        transition, loc = parameters()

        def step(z, _):
            z = numpyro.sample("z", dist.Categorical(transition[z]))
            return z, numpyro.sample("x", dist.Normal(loc[z], 1.0))

        scan(step, 0, None, length=8)

    with pytest.raises(ValueError, match=r"gives values to x.*obs="):
        em.EM(handlers.condition(model, {"x": jnp.asarray(X)})).run(KEY)


def test_studies_of_independent_rows_are_refused():
    fit = em.EM(chain, num_restarts=1, max_steps=2).run(KEY, X)
    with pytest.raises(ValueError, match="gradient function"):
        fit.gradient_function()
    with pytest.raises(ValueError, match="those of a chain"):
        _ = fit.icl


def test_a_mixture_has_no_path(x64):
    def mixture(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)

    fit = em.EM(mixture, num_restarts=1, max_steps=2).run(KEY, X)
    with pytest.raises(ValueError, match=r"decode.*chain"):
        fit.decode()


def test_marginalize_refuses_the_same():
    with pytest.raises(ValueError, match="first order"):
        inference.marginalize(second_order)(X)
