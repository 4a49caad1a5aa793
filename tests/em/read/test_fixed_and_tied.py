"""Parameters that are shared, fixed in part or in whole."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import special, stats

from mixpyro import em

from .mixtures import KEY, X, answer, assert_answer, close, plain, reference, run, sources

pytestmark = pytest.mark.usefixtures("x64")


def tied(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
    scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


def test_a_shared_scale_is_counted_once():
    fit = run(tied, X[:, 0])
    expected = answer(tie_scale=True)
    assert_answer(fit, expected, ("weights", "loc"))
    close(fit.params["scale"], expected["scale"][0])
    assert fit.spec.closed_form
    assert sources(fit, "x") == {"loc": "loc[z]", "scale": "scale"}
    assert fit.num_free_params == 1 + 2 + 1


def test_a_part_of_an_argument_is_fixed():
    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        mu = numpyro.sample("mu", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(jnp.array([0.0, mu])[z], scale[z]), obs=x)

    fit = run(model, X[:, 0])
    expected = reference(X[:, :1], loc=np.array([[0.0], [np.nan]]))
    assert_answer(fit, expected, ("weights", "scale"))
    close(fit.params["mu"], expected["loc"][1])
    assert fit.spec.closed_form
    assert "fixed in part" in sources(fit, "x")["loc"]
    assert fit.num_free_params == 1 + 1 + 2


@pytest.mark.parametrize("hold", [handlers.condition, handlers.substitute])
def test_a_parameter_held_fixed_by_a_handler(hold):
    fit = run(hold(tied, {"scale": 1.25}), X[:, 0])
    expected = answer(scale=1.25)
    assert_answer(fit, expected, ("weights", "loc"))
    close(fit.params["scale"], 1.25)
    assert fit.num_free_params == 1 + 2
    assert ["scale", "()", "positive", "fixed"] in [s.split() for s in str(fit.spec).splitlines()]


@pytest.mark.parametrize("hold", [handlers.condition, handlers.substitute])
def test_fixed_weights(hold):
    fit = run(hold(plain, {"weights": jnp.array([0.5, 0.5])}), X[:, 0])
    assert_answer(fit, answer(weights=(0.5, 0.5)))
    assert fit.num_free_params == 4


def test_everything_fixed_is_the_e_step_alone():
    given = {
        "weights": jnp.array([0.6, 0.4]),
        "loc": jnp.array([0.0, 2.0]),
        "scale": jnp.array([1.0, 0.5]),
    }
    fit = em.EM(handlers.condition(plain, given)).run(KEY, X[:, 0])
    joint = np.log([0.6, 0.4]) + stats.norm.logpdf(X[:, :1], [0.0, 2.0], [1.0, 0.5])
    total = special.logsumexp(joint, axis=1)
    assert fit.log_likelihood == pytest.approx(total.sum(), abs=1e-9)
    np.testing.assert_allclose(fit.responsibilities(), np.exp(joint - total[:, None]), atol=1e-9)
    assert fit.num_free_params == 0
    assert set(fit.params) == set(given)
    assert fit.status.ok
    assert fit.standard_errors()["loc"].mask.all()
    assert set(fit.summary()["note"]) == {"fixed"}
