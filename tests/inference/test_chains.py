"""Chains summed out, as NumPyro models: their density, gradients, draws, and names of states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp
from numpyro import handlers
from numpyro.contrib.funsor import config_enumerate, enum
from numpyro.contrib.funsor import log_density as enumerated
from numpyro.infer.util import log_density

from mixpyro import em, inference
from mixpyro.data import load_earthquakes
from mixpyro.em.machine.by_numpy.interpret import interpreted
from mixpyro.inference.symmetry import symmetries_of

from ..em import outside_forms
from ..em.chain_forms import FORMS, all_paths, earthquakes
from .scoring import density

KEY = jax.random.key(0)
MAJOR = load_earthquakes()["earthquakes"].to_numpy()

pytestmark = pytest.mark.usefixtures("x64")


def parameters(form, seed=3):
    """Some parameters drawn from the prior, and the log prior density."""

    def of_the_prior():
        plain = handlers.trace(handlers.seed(form.model, seed)).get_trace(*form.args)
        rest = (*form.latents, *form.observed)
        return {n: s for n, s in plain.items() if s["type"] == "sample" and n not in rest}

    def prior(params):
        return sum(s["fn"].log_prob(params[n]).sum() for n, s in of_the_prior().items())

    return interpreted(lambda: {n: s["value"] for n, s in of_the_prior().items()})(), prior


QUICK = ("observed outside",)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK))
        for n in FORMS
        if n not in ("ragged", "weighted")
    ],
)
def test_density_and_gradient_are_those_of_all_paths(name):
    form = FORMS[name]
    params, prior = parameters(form)
    function, _ = all_paths(form)

    def by_paths(params):
        return logsumexp(function(params), 0).sum() + prior(params)

    def ours(params):
        return log_density(inference.marginalize(form.model), form.args, {}, params)[0]

    value, slopes = interpreted(jax.value_and_grad(ours))(params)
    expected, expected_slopes = interpreted(jax.value_and_grad(by_paths))(params)
    np.testing.assert_allclose(value, expected, atol=1e-9)
    for site, slope in expected_slopes.items():
        np.testing.assert_allclose(slopes[site], slope, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fixed first state", "observation before", "initial by where"])
def test_the_density_is_that_of_numpyros_own_enumeration(name):
    form = FORMS[name]
    params, _ = parameters(form)
    mine = density(form.model, form.args, params)
    model = enum(config_enumerate(handlers.seed(form.model, 0)), -2)
    theirs = interpreted(lambda p: enumerated(model, form.args, {}, p)[0])(params)
    np.testing.assert_allclose(mine, theirs, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ragged and autoregressive", "class and first"])
def test_what_stands_before_the_scan_is_summed_out(name):
    form = outside_forms.FORMS[name]

    @interpreted
    def drawn():
        plain = handlers.trace(handlers.seed(form.model, 3)).get_trace(*form.args)
        own = {n: s for n, s in plain.items() if s["type"] == "sample" and not s["is_observed"]}
        params = {n: s["value"] for n, s in own.items() if n not in form.hidden}
        return params, sum(own[n]["fn"].log_prob(v).sum() for n, v in params.items())

    params, prior = drawn()
    found = density(form.model, form.args, params)
    np.testing.assert_allclose(found - prior, outside_forms.by_hand(form, params)[0], atol=1e-9)


@pytest.mark.slow
def test_a_class_of_sequences_has_a_value_for_each():
    form = outside_forms.FORMS["class of transitions"]
    fit = em.EM(form.model, num_restarts=1, max_steps=3).run(KEY, *form.args)
    draws = {n: np.broadcast_to(v, (1, 4000, *v.shape)) for n, v in fit.params.items()}
    found = inference.draw_latent(draws, fit, KEY)
    assert {n: v.shape for n, v in found.z.items()} == {"kind": (1, 4000, 2), "z": (1, 4000, 8)}
    one = fit.responsibilities()["kind"][:, 1]
    np.testing.assert_allclose(found.z["kind"][0].mean(0), one, atol=0.04)
    assert {n: v.shape for n, v in fit.sample(KEY).items()} == {
        "kind": (2,),
        "z": (4, 2),
        "x": (4, 2),
    }


@pytest.mark.slow
def test_sequences_are_the_independent_rows_of_the_marginal_model():
    form = FORMS["ragged"]
    params, prior = parameters(form)

    @interpreted
    def by_sequence(params):
        model = handlers.substitute(inference.marginalize(form.model), params)
        trace = handlers.trace(handlers.seed(model, 0)).get_trace(*form.args)
        assert set(trace) >= {"x", "initial"}
        assert "z" not in trace
        assert trace["x"]["fn"].batch_shape == (3,)
        return trace["x"]["fn"].log_prob(trace["x"]["value"])

    own = interpreted(prior)(params)
    alone = [
        density(form.model, (form.args[0][:n, [s]], jnp.asarray([n])), params) - own
        for s, n in enumerate(form.ends)
    ]
    np.testing.assert_allclose(by_sequence(params), alone, atol=1e-10)


@pytest.fixture(scope="module")
def fit():
    with jax.enable_x64(True):
        yield em.EM(earthquakes, num_restarts=2).run(KEY, MAJOR, num_states=2)


@pytest.mark.slow
def test_states_are_renamed_in_all_their_places(fit):
    symmetry = symmetries_of(fit)["z"]
    assert symmetry.axes == {"initial": (0,), "transition": (0, 1), "rate": (0,)}
    draws = {n: np.stack([np.asarray(v), np.flip(v)])[None] for n, v in fit.params.items()}
    found = inference.relabel(draws, fit)
    np.testing.assert_array_equal(found.permutations["z"][0], [[0, 1], [1, 0]])
    for name, value in fit.params.items():
        np.testing.assert_allclose(found.draws[name][0, 1], value, atol=1e-12)


def test_states_with_a_fixed_first_one_keep_their_names():
    form = FORMS["fixed first state"]
    fit = em.EM(form.model, num_restarts=1, max_steps=3).run(KEY, *form.args)
    assert symmetries_of(fit)["z"].classes == ((0,), (1,))


def test_paths_are_drawn_from_their_posterior(fit):
    draws = {n: np.broadcast_to(v, (1, 2000, *v.shape)) for n, v in fit.params.items()}
    found = inference.draw_latent(draws, fit, jax.random.key(4))
    assert found.z.shape == (1, 2000, 107)
    resp = np.asarray(fit.responsibilities())
    np.testing.assert_allclose(found.responsibilities, resp, atol=1e-10)
    np.testing.assert_allclose((found.z[0] == 1).mean(0), resp[:, 1], atol=0.06)
    # Paths stay where they are: as often as the chain does.
    moves = (found.z[0, :, 1:] != found.z[0, :, :-1]).mean()
    assert 0.03 < moves < 0.15


@pytest.mark.slow
def test_nuts_agrees_with_the_fit_and_its_tree_has_time(fit):
    tree = inference.run_nuts(fit, KEY, num_warmup=200, num_samples=200, num_chains=2)
    assert dict(tree["responsibilities"].sizes) == {"time": 107, "sequence": 1, "component": 2}
    assert dict(tree["log_likelihood"].sizes) == {"chain": 2, "draw": 200, "sequence": 1}
    assert tree["observed_data"]["counts"].dims == ("time",)
    rate = tree["posterior"]["rate"].mean(("chain", "draw")).values
    np.testing.assert_allclose(rate, fit.params["rate"], rtol=0.05)
    report = inference.cross_check(fit, nuts=tree)
    verdicts = report.table["verdict"]
    assert verdicts[["rate[0]", "rate[1]"]].tolist() == ["agrees", "agrees"]
    assert verdicts["responsibilities (largest TV)"] == "agrees"
