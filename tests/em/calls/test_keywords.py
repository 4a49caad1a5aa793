"""Keywords that a model does not have are refused before it is run, with what is meant."""

import functools
from functools import partial

import pytest

from mixpyro import em, models
from mixpyro.em.calls.keywords import refuse_unknown


def model(x, num_components=2, *, scale=1.0):
    raise AssertionError("nobody runs it")


def anything(x, **rest):
    raise AssertionError("nobody runs it")


@functools.wraps(model)
def wrapped(*args, tempered=False, **kwargs):
    return model(*args, **kwargs)


def partly(function):
    return partial(function, scale=2.0)


@pytest.mark.parametrize(
    ("function", "name", "error", "words"),
    [
        (model, "num_restarts", TypeError, r"option of the fitter: em.EM\(model, num_restarts=3\)"),
        (model, "scales", TypeError, r"it has x, num_components, scale\); did you mean 'scale'"),
        (model, "K", TypeError, r"model has no keyword 'K' \(it has x, num_components, scale\)$"),
        (partly(model), "K", TypeError, "model has no keyword 'K'"),
        (model, "n_components", ValueError, "it is called num_components"),
        (wrapped, "n_clusters", ValueError, "it is called num_components"),
        (model, "weights", ValueError, "handlers.scale"),
    ],
)
def test_what_a_model_does_not_take(function, name, error, words):
    with pytest.raises(error, match=words):
        refuse_unknown(function, {name: 3}, em.EM.__init__)


@pytest.mark.parametrize(
    ("function", "name"),
    [(model, "scale"), (anything, "K"), (anything, "n_components"), (wrapped, "tempered")],
)
def test_what_it_may_take_is_left_to_it(function, name):
    assert refuse_unknown(function, {name: 3}, em.EM.__init__) is None


def test_a_run_and_a_sweep_say_so():
    for call in (em.EM(models.poisson_mixture).run, partial(em.sweep, models.poisson_mixture)):
        with pytest.raises(TypeError, match=r"em.EM\(poisson_mixture, num_restarts=2\)"):
            call(0, [1, 2, 3], num_components=[1, 2], num_restarts=2)
