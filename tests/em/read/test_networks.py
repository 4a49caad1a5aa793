"""Networks among the parameters: their leaves are parameters, their state is refused."""

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.infer.util import log_density
from scipy import optimize, stats

from mixpyro import em
from mixpyro.inference import cross_check, marginalize, run_laplace

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
_rng = np.random.default_rng(0)
N, K = 80, 2
X = _rng.normal(size=N)


def gated(x, y, gate):
    """Two normals whose shares a network makes of x."""
    with numpyro.plate("components", K):
        loc = numpyro.sample("loc", dist.Normal(0.0, 3.0))
    scale = numpyro.sample("scale", dist.HalfNormal(1.0))
    logits = gate(x[:, None])[:, 0]
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(logits=logits))
        numpyro.sample("y", dist.Normal(loc[z], scale), obs=y)


G = np.where(_rng.random(N) < 1 / (1 + np.exp(-1 - 2 * X)), 2.0, -1.0) + 0.5 * _rng.normal(size=N)


def gated_by_hand(bias, kernel, loc, scale):
    share = 1 / (1 + np.exp(-(bias + kernel * X)))
    density = stats.norm.pdf(G[:, None], np.asarray(loc), scale)
    return np.log((1 - share) * density[:, 0] + share * density[:, 1]).sum()


def best_gated():
    def loss(u):
        return -gated_by_hand(u[0], u[1], u[2:4], np.exp(u[4]))

    return -optimize.minimize(loss, [1, 2, -1, 2, -0.7], method="BFGS").fun


def networks(name):
    """The gate as a network of each kind that NumPyro declares: one layer, 1 to 1."""
    pytest.importorskip("flax")
    from flax import linen, nnx
    from numpyro.contrib.module import flax_module, nnx_module, random_flax_module

    prior = dist.Normal(0.0, 2.0)
    made = {
        "flax": lambda: flax_module("gate", linen.Dense(1), input_shape=(1,)),
        "random": lambda: random_flax_module("gate", linen.Dense(1), prior, input_shape=(1,)),
        "in part": lambda: random_flax_module(
            "gate", linen.Dense(1), {"bias": prior}, input_shape=(1,)
        ),
        "nnx": lambda: nnx_module("gate", layer),
    }
    layer = nnx.Linear(1, 1, rngs=nnx.Rngs(0))
    return lambda x, y: gated(x, y, made[name]())


@pytest.mark.parametrize(
    "name",
    ["flax", "random", *(pytest.param(n, marks=pytest.mark.slow) for n in ("in part", "nnx"))],
)
def test_networks(name):
    model = networks(name)
    fit = em.EM(model, num_restarts=2).run(KEY, X, G)
    assert fit.status.ok
    assert fit.num_free_params == 5
    np.testing.assert_allclose(fit.log_likelihood, best_gated(), atol=1e-6)
    kinds = {"flax": (), "random": ("bias", "kernel"), "in part": ("bias",), "nnx": ()}
    sampled = kinds[name]
    names = {n: f"gate/{n}" if n in sampled else f"gate$params[{n!r}]" for n in ("bias", "kernel")}
    assert set(fit.leaves) == {*names.values(), "loc", "scale"}
    bias, kernel = (float(np.ravel(fit.leaves[names[n]])[0]) for n in ("bias", "kernel"))
    own = gated_by_hand(bias, kernel, fit.params["loc"], fit.params["scale"])
    np.testing.assert_allclose(fit.log_likelihood, own, rtol=1e-10)
    # What NumPyro makes of the parameters, z summed out by hand.
    substituted = handlers.substitute(model, fit.params)
    priors = stats.norm.logpdf(fit.params["loc"], 0, 3).sum()
    priors += stats.halfnorm.logpdf(float(fit.params["scale"]))
    values = {"bias": bias, "kernel": kernel}
    priors += sum(stats.norm.logpdf(values[n], 0, 2) for n in sampled)
    density = log_density(marginalize(substituted), (X, G), {}, {})[0]
    np.testing.assert_allclose(density, own + priors, rtol=1e-10)


@pytest.mark.slow
def test_a_random_network_has_a_posterior():
    def plain(x, y):
        bias = numpyro.sample("gate/bias", dist.Normal(0.0, 2.0).expand([1]).to_event())
        kernel = numpyro.sample("gate/kernel", dist.Normal(0.0, 2.0).expand([1, 1]).to_event())
        gated(x, y, lambda inputs: inputs @ kernel + bias)

    fits = [em.EM(m, num_restarts=2).run(KEY, X, G) for m in (networks("random"), plain)]
    runs = [run_laplace(fit, KEY, num_samples=200) for fit in fits]
    draws = [run.posterior for run in runs]
    compared = [cross_check(fit, laplace=run) for fit, run in zip(fits, runs, strict=True)]
    assert list(compared[0].table.index) == list(compared[1].table.index)
    for name in ("gate.bias", "gate.kernel", "loc", "scale"):
        np.testing.assert_allclose(draws[0][name], draws[1][name], rtol=1e-4, atol=1e-4)


def test_a_network_with_state_is_refused():
    pytest.importorskip("flax")
    from flax import linen
    from numpyro.contrib.module import flax_module

    def model(x, y):
        layer = linen.BatchNorm(use_running_average=True)
        gate = flax_module("gate", layer, input_shape=(1, 1), mutable=["batch_stats"])
        gated(x, y, gate)

    with pytest.raises(ValueError, match=r"'gate\$state' is mutable state"):
        em.EM(model).run(KEY, X, G)
