"""What densities take from the data alone is worked out once."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import gammaln
from scipy import special

from mixpyro import em
from mixpyro.em.classes.assignments.soft import Soft
from mixpyro.em.machine.hoist import split
from mixpyro.em.step.expectation import e_step

COUNTS = np.random.default_rng(3).poisson(4.0, 60).astype(float)


def density(params, component, data):
    rate = jnp.exp(params["a"][component])
    factorials = jnp.broadcast_to(gammaln(data[0] + 1), (2, 60))
    return data[0] * jnp.log(rate) - rate - factorials[component]


def primitives(function, *args):
    found = set()

    def walk(jaxpr):
        for equation in jaxpr.eqns:
            found.add(equation.primitive.name)
            for value in equation.params.values():
                body = getattr(value, "jaxpr", value)
                if hasattr(body, "eqns"):
                    walk(body)

    walk(jax.make_jaxpr(function)(*args).jaxpr)
    return found


def test_the_two_halves_are_the_function_and_its_gradient(x64):
    params, data = {"a": jnp.array([0.3, 1.2])}, (jnp.asarray(COUNTS),)
    parts = split(density, params, jnp.array(0), data)
    kept = parts.ahead(data)

    def again(params, component, data):
        return parts.rest(params, component, kept, data)

    for component in (0, 1):
        np.testing.assert_array_equal(
            again(params, component, data), density(params, component, data)
        )
        slopes = [
            jax.grad(lambda p, f=f, j=component: f(p, j, data).sum())(params)["a"]
            for f in (again, density)
        ]
        np.testing.assert_array_equal(*slopes)
    assert "lgamma" in primitives(density, params, 0, data)
    assert "lgamma" not in primitives(again, params, 0, data)
    assert [v.shape for v in kept] == [(60,)]  # before they were repeated


def test_what_is_cheap_or_needs_the_parameters_stays(x64):
    params, data = {"a": jnp.ones(2)}, (jnp.asarray(COUNTS),)
    assert split(lambda p, j, d: gammaln(d[0] + p["a"][j]), params, jnp.array(0), data) is None
    assert split(lambda p, j, d: (d[0] + 1) * p["a"][j], params, jnp.array(0), data) is None


def poissons_by_exposure(x, exposure):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        rate = numpyro.sample("rate", dist.Gamma(2.0, 0.5))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Poisson(exposure * rate[z]), obs=x)


@pytest.mark.slow
def test_no_step_computes_log_factorials(x64):
    exposure = np.linspace(0.5, 2, 60)
    fit = em.EM(poissons_by_exposure).run(jax.random.key(0), COUNTS, exposure)
    assert [v.shape for v in fit.rows.ahead["x"]] == [(60,)]
    assert "lgamma" not in primitives(
        lambda p, r: e_step(fit.program, Soft(), p, r), fit.params, fit.rows
    )
    # By hand, from the model's formula.
    p = {n: np.asarray(v) for n, v in fit.params.items()}
    mean, x = exposure[:, None] * p["rate"], COUNTS[:, None]
    by_class = p["weights"] * np.exp(x * np.log(mean) - mean - special.gammaln(x + 1))
    assert fit.log_likelihood == pytest.approx(np.log(by_class.sum(1)).sum(), rel=1e-10)
