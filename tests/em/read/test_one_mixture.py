"""One mixture written in many ways has one answer, and what is understood of it is printed."""

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints
from scipy import special

from .mixtures import (
    CLOSED,
    STATISTICS,
    N,
    X,
    answer,
    assert_answer,
    close,
    declare,
    plain,
    run,
    rungs,
    sources,
)

pytestmark = pytest.mark.usefixtures("x64")


def enumerated(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def logits(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(logits=jnp.log(weights)))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def without_plate(x):
    weights, loc, scale = declare()
    z = numpyro.sample("z", dist.Categorical(weights).expand([x.shape[0]]))
    numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def second_dimension(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0], dim=-2):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x[:, None])


def params_only(x):
    weights = numpyro.param("weights", jnp.array([0.5, 0.5]), constraint=constraints.simplex)
    loc = numpyro.param("loc", jnp.zeros(2))
    scale = numpyro.param("scale", jnp.ones(2), constraint=constraints.positive)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def one_hot(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        indicator = jax.nn.one_hot(z, 2)
        numpyro.sample("x", dist.Normal(indicator @ loc, indicator @ scale), obs=x)


@pytest.mark.parametrize(
    "model", [plain, enumerated, without_plate, second_dimension, params_only, one_hot]
)
def test_one_mixture_written_in_many_ways_has_one_answer(model):
    fit = run(model, X[:, 0])
    assert_answer(fit, answer())
    assert (fit.spec.latent, fit.spec.num_components, fit.spec.num_rows) == ("z", 2, N)
    assert fit.spec.closed_form
    assert sources(fit, "x") == {"loc": "loc[z]", "scale": "scale[z]"}
    assert fit.num_free_params == 1 + 2 + 2


def test_the_spec_prints_what_was_understood():
    text = str(run(plain, X[:, 0]).spec)
    assert "Mixture of 2 components over 30 rows" in text
    assert "z ~ Categorical, not observed" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["weights", "(2,)", "simplex", "1"] in lines
    assert ["scale", "(2,)", "positive", "2"] in lines
    assert ["x", "Normal", "loc", "=", "loc[z],", "scale", "=", "scale[z]"] in lines
    assert ["loc,", "scale", "closed", "form"] in lines


def test_a_spec_is_hashable_and_equal_for_equal_models():
    first, second = run(plain, X[:, 0]).spec, run(plain, X[:, 1]).spec
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.slow
def test_logits_of_z():
    fit = run(logits, X[:, 0])
    assert_answer(fit, answer())
    assert fit.num_free_params == 5


def test_one_free_logit_of_z():
    def model(x):
        logit = numpyro.sample("logit", dist.Normal(0, 2))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        scale = numpyro.sample("scale", dist.HalfNormal(3).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(logits=jnp.stack([0.0, logit])))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)

    fit = run(model, X[:, 0])
    expected = answer()
    assert_answer(fit, expected, ("loc", "scale"))
    close(special.expit(fit.params["logit"]), expected["weights"][1])
    assert rungs(fit) == {("logit",): STATISTICS, ("loc", "scale"): CLOSED}
    assert fit.num_free_params == 5


@pytest.mark.parametrize("kind", ["stack", "where", "logits"])
def test_bernoulli_z_with_scalar_sites(kind):
    def model(x):
        pi = numpyro.sample("pi", dist.Beta(1, 1))
        p = numpyro.sample("p", dist.Normal(0, 5))
        q = numpyro.sample("q", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3).expand([2]))
        given = {"logits": special_logit(pi)} if kind == "logits" else {"probs": pi}
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Bernoulli(**given))
            loc = jnp.where(z == 1, q, p) if kind == "where" else jnp.stack([p, q])[z]
            numpyro.sample("x", dist.Normal(loc, scale[z]), obs=x)

    fit = run(model, X[:, 0])
    expected = answer()
    assert_answer(fit, expected, ("scale",))
    close(fit.params["pi"], expected["weights"][1])
    close([fit.params["p"], fit.params["q"]], expected["loc"])
    assert fit.spec.latent_distribution == "Bernoulli"
    assert fit.num_free_params == 1 + 1 + 1 + 2
    if kind != "logits":
        assert fit.spec.closed_form
        assert sources(fit, "z") == {"probs": "pi"}


def special_logit(p):
    return jnp.log(p) - jnp.log1p(-p)
