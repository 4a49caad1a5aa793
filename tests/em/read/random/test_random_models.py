"""Random models are read as NumPyro scores them, or refused by name: there is no third outcome.

``MIXPYRO_EXAMPLES=5000 pytest -m slow -k readings`` with the path of this file tries 5000 models.
"""

import os
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from numpyro.distributions import biject_to
from numpyro.infer.util import log_density

from mixpyro import em
from mixpyro.em.machine.by_numpy.interpret import interpreted
from mixpyro.inference import marginalize

from .. import brute, reading
from .models import build
from .plans import data
from .strategies import plans

pytestmark = pytest.mark.usefixtures("x64")

MANY = int(os.environ.get("MIXPYRO_EXAMPLES", "140"))
PARTS = 10  # so that several workers share them
# Seeds are given, so every run is the same; shrinking would compile hundreds of models.
PROFILE = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate],
    "print_blob": False,
}
NAMED = re.compile(r"'(weights?|logits|push|[zuw]|y\d|a\d\d|shared\d\d|inner|outer|z_\w+)\b")


def held(plan):
    """What handlers hold: by conditioning, and in all."""
    return ("a00",) if plan.held == "condition" else (), {"a00"} if plan.held != "none" else set()


def draw_params(plan, given_data, spread=1.0):
    """Parameters whose unconstrained values are normal."""

    def draw():
        rng = np.random.default_rng(plan.seed + 1)
        traced = brute.sites(build(plan), (), given_data)
        out = {}
        for name in sorted(brute.parameters(traced) - held(plan)[1]):
            site = traced[name]
            param = site["type"] == "param"
            transform = biject_to(site["kwargs"]["constraint"] if param else site["fn"].support)
            shape = transform.inverse_shape(jnp.shape(site["value"]))
            out[name] = transform(jnp.asarray(spread * rng.normal(size=shape)))
        return out

    return interpreted(draw)()


def scorer(plan, given_data):
    """Of parameters (log-likelihood, log prior) by brute force; rows of weights one by one."""
    fixed = held(plan)[0]
    if not plan.scaled:
        return brute.scorer(build(plan), (), given_data, fixed)
    # A weight multiplies its row's log-likelihood, outside of the sum over z.
    masks = [np.zeros(plan.n, bool), *np.eye(plan.n, dtype=bool)]
    score = brute.scorer_by_mask(partial(build, plan), masks, (), given_data, fixed)

    def total(params):
        (none, *own), prior = score(params)
        weights = given_data["row_weights"].ravel()
        return none + sum(w * (o - none) for w, o in zip(weights, own, strict=True)), prior

    return total


def exactly(plan, given_data, params):
    return interpreted(scorer(plan, given_data))(params)


def named(error):
    """Whether a refusal names a site; fails otherwise."""
    assert NAMED.search(str(error)), f"not by name: {error}"


def check_reading(plan, gradients=False):
    given_data = data(plan)
    params = draw_params(plan, given_data)
    likelihood, prior = exactly(plan, given_data, params)
    outcomes = []
    for way, expected in (
        (reading.climbed, likelihood),
        (reading.marginal, likelihood + prior),
    ):
        try:
            found = way(build(plan), (), given_data)(params)
        except ValueError as error:
            named(error)
            outcomes.append("refused")
            continue
        assert float(found) == pytest.approx(float(expected), rel=1e-9, abs=1e-9), way.__name__
        outcomes.append("read")
    if gradients and outcomes[1] == "read":
        model = build(plan)
        density = marginalize(model)
        score = scorer(plan, given_data)
        own = jax.grad(lambda p: log_density(density, (), given_data, p)[0])
        found = brute.once(own, params)
        expected = brute.once(jax.grad(lambda p: sum(score(p))), params)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-7, atol=1e-7, err_msg=name)
    return outcomes


def check_fit(plan):
    given_data = data(plan)
    start = draw_params(plan, given_data, 0.3)
    try:
        fit = em.EM(build(plan), max_steps=3).run(
            jax.random.key(plan.seed), init_params=start, **given_data
        )
    except ValueError as error:
        named(error)
        return
    free = {n: v for n, v in fit.params.items() if n not in held(plan)[1]}
    if fit.base_status.ok or fit.num_steps == 3:
        expected, _ = exactly(plan, given_data, free)
        assert fit.log_likelihood == pytest.approx(float(expected), rel=1e-8, abs=1e-8)


def every(check, number, seed_):
    """``check`` on so many random plans."""

    @seed(seed_)
    @settings(max_examples=number, **PROFILE)
    @given(plans())
    def one(plan):
        check(plan)

    one()


def test_a_few_readings():
    every(check_reading, 3, 0)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_readings(part):
    every(check_reading, MANY // PARTS, part)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_gradients(part):
    every(partial(check_reading, gradients=True), 2, part)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_fits(part):
    every(check_fit, 7, part)
