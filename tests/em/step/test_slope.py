"""Fisher's identity: the gradient by an E-step's statistics is that of NumPyro's own density."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em, models
from mixpyro.em.classes.assignments.soft import Soft
from mixpyro.em.classes.posterior import posterior
from mixpyro.em.climb import engine
from mixpyro.em.machine.by_numpy.interpret import interpreted
from mixpyro.em.step.objective import evaluate
from mixpyro.em.step.slope import slope_of

_rng = np.random.default_rng(3)
X = _rng.normal(size=(60, 2)) + np.where(np.arange(60) % 2 == 0, 3.0, 0.0)[:, None]
ANSWERS = _rng.integers(2, size=(60, 3)).astype(float)
GAPS = np.where(_rng.random((60, 3)) < 0.2, np.nan, ANSWERS)
COVARIATES = np.column_stack([np.ones(60), X[:, 0]])
GROUP = np.repeat(np.arange(20), 3)


def beside(x, y):
    """Two normals of one scale, and another that only observations beside the rows are about."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.full(2, 2.0)))
    scale = numpyro.sample("scale", dist.Gamma(3.0, 2.0))
    loc = numpyro.sample("loc", dist.Normal(0, 3).expand([2]).to_event(1))
    own = numpyro.sample("own", dist.Gamma(3.0, 2.0))
    numpyro.sample("y", dist.Normal(jnp.zeros(2), own).to_event(1), obs=y)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


CASES = {
    "normals": (models.gaussian_mixture, (X,), {"num_components": 2}, {}),
    "one shape": (models.gaussian_mixture, (X,), {"num_components": 2, "covariance": "EEV"}, {}),
    "gaps": (models.latent_class, (GAPS,), {"num_components": 2, "num_categories": 2}, {}),
    "gaps of normals": (
        models.gaussian_mixture,
        (np.where(np.isnan(GAPS[:, :2]), np.nan, X),),
        {"num_components": 2},
        {},
    ),
    "covariates of classes": (
        models.latent_class_regression,
        (ANSWERS,),
        {"num_components": 2, "num_categories": 2, "covariates": COVARIATES},
        {},
    ),
    "groups": (
        models.multilevel_latent_class,
        (ANSWERS,),
        {"num_group_classes": 2, "num_components": 2, "num_categories": 2, "group": GROUP},
        {},
    ),
    "a chain": (models.hidden_markov, (X[:, 0],), {"num_components": 2, "emission": "normal"}, {}),
    "priors": (beside, (X[:, 0], np.array([1.0, -1.0])), {}, {"objective": "posterior"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_numpyros_density(case, x64):
    model, args, kwargs, options = CASES[case]
    fit = em.EM(model, max_steps=2, num_restarts=1, **options).run(0, *args, **kwargs)
    program, rows = fit.program, fit.rows
    assert not program.rowwise, "all of its densities have statistics"

    @interpreted
    def ours(params):
        own = engine.given(program, rows)
        return slope_of(program, params, evaluate(program, Soft(), params, own), own)

    @interpreted
    def theirs(params):
        def total(params):
            found = posterior(program, params, rows.arrays).log_density.sum()
            found += program.auxiliary(params, rows.arrays)
            if program.posterior:
                found += dist.Dirichlet(jnp.full(2, 2.0)).log_prob(params["weights"])
                found += dist.Gamma(3.0, 2.0).log_prob(params["scale"])
                found += dist.Gamma(3.0, 2.0).log_prob(params["own"])
                found += dist.Normal(0, 3).log_prob(params["loc"]).sum()
            return found

        return jax.grad(total)(params)

    params = {n: jnp.asarray(v) for n, v in fit.params.items()}
    params |= {n: 2 * params[n] for n in params if n == "own"}  # which is at its best already
    found, wanted = ours(params), theirs(params)
    for name in (p.name for p in program.structure.free):
        a, b = np.asarray(found[name]), np.asarray(wanted[name])
        assert np.abs(b).max() > 1e-3, "no top"
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-7 * np.abs(b).max())
