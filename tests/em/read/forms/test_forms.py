"""Legal ways to write a mixture that are not to be refused, nor to crash."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.infer.util import log_density

from mixpyro import em
from mixpyro.inference import marginalize

from .. import brute
from ..case import Case, check_density, check_fit
from . import annotation, declarations, loops
from .data import SERIES, N, X
from .normals import NORMALS, classes_in_a_loop, normal_mixture, normals

pytestmark = pytest.mark.usefixtures("x64")

CASES = {**loops.CASES, **annotation.CASES, **declarations.CASES}


def test_too_many_combinations_are_refused_before_anything_is_allocated():
    series = SERIES
    for run in (
        lambda: em.EM(classes_in_a_loop).run(jax.random.key(0), series),
        lambda: handlers.seed(marginalize(classes_in_a_loop), 0)(series),
    ):
        with pytest.raises(ValueError, match=r"'?z\d+'?.*(combinations|configurations)"):
            run()


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


QUICK = ("a changepoint",)


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
    prior = brute.log_prior(model, (X,), {})(params)
    expected = case.likelihood(params) + prior
    assert density(params) == pytest.approx(expected, rel=1e-9)
