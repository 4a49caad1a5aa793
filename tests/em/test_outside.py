"""First states and classes of sequences before a scan: against all paths one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers

from mixpyro import em

from .outside_forms import FORMS, by_hand

KEY = jax.random.key(0)

pytestmark = pytest.mark.usefixtures("x64")

QUICK = ("first and its observation", "class of transitions")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in FORMS]
)
def test_every_form_is_the_sum_over_all_paths(name):
    form = FORMS[name]
    fit = em.EM(form.model, num_restarts=1, max_steps=3, accelerate=None).run(KEY, *form.args)
    total, smoothed = by_hand(form, fit.params)
    np.testing.assert_allclose(fit.log_likelihood, total, atol=1e-9)
    np.testing.assert_allclose(np.sum(fit.log_prob()), total, atol=1e-9)
    assert (np.diff(fit.trace) > -1e-9).all()
    found = fit.responsibilities()
    found = found if isinstance(found, dict) else {"z": found}
    assert set(found) == set(smoothed)
    for z, wanted in smoothed.items():
        assert found[z].shape == wanted.shape
        for s, end in enumerate(form.ends if z not in form.classes else ()):
            np.testing.assert_allclose(found[z][:end, s], wanted[:end, s], atol=1e-9)
        if z in form.classes or not form.ends:
            np.testing.assert_allclose(found[z], wanted, atol=1e-9)


@pytest.mark.slow
def test_labels_and_weights_of_sequences():
    form, weights = FORMS["class of transitions"], np.array([1.0, 3.0])
    scaled = handlers.scale(form.model, scale=jnp.asarray(weights))
    model = em.with_labels(scaled, kind=np.array([-1, 1]))
    fit = em.EM(model, num_restarts=1, max_steps=3, accelerate=None).run(KEY, *form.args)
    total, smoothed = by_hand(form, fit.params, lambda paths: paths["kind"][:, 1] == 1)
    np.testing.assert_allclose(fit.log_prob().sum(), total, atol=1e-9)
    np.testing.assert_allclose(fit.log_likelihood, weights @ fit.log_prob(), atol=1e-9)
    np.testing.assert_allclose(fit.responsibilities()["kind"], smoothed["kind"], atol=1e-9)
