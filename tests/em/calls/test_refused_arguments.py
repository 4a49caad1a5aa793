"""Starts and options that are refused, by name."""

import jax
import numpy as np
import pytest
from numpyro import handlers

from mixpyro import em

from ..refusals import N, X, normals, refuses, run

# ---- starts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ({"loc": np.zeros(3)}, ("'loc'", "(3,)", "(2,)")),
        ({"scale": np.ones(2)}, ("'scale'", "(2,)", "()")),
        ({"mean": np.zeros(2)}, ("'mean'", "'weights'", "'loc'", "'scale'")),
        ({"loc": np.array([0.0, np.nan])}, ("'loc'", "finite")),
        ({"loc": np.array([0.0, np.inf])}, ("'loc'", "finite")),
        ({"scale": -1.0}, ("'scale'", "positive")),
        ({"weights": np.array([0.5, 0.9])}, ("'weights'", "simplex")),
        ({"x": X}, ("'x'",)),
    ],
)
def test_bad_init_params(init, words):
    refuses(*words, "init_params", init_params=init)


def test_init_params_of_a_fixed_parameter():
    refuses(
        "'scale'",
        "no free parameter",
        model=handlers.condition(normals, {"scale": 1.0}),
        init_params={"scale": 2.0},
    )


@pytest.mark.parametrize(
    ("init", "words"),
    [
        (np.full((N, 3), 1 / 3), ("(8, 3)", "(8, 2)")),
        (np.full((2, N), 0.5), ("(2, 8)", "(8, 2)")),
        (np.full(N, 0.5), ("(8,)", "(8, 2)")),
        (np.full((N, 2), np.nan), ("finite",)),
        (np.array([[1.5, -0.5]] * N), (">= 0",)),
        (np.where(np.arange(N)[:, None] == 6, 0.0, [0.5, 0.5]), ("row 6",)),
    ],
)
def test_bad_init_responsibilities(init, words):
    refuses(*words, "init_responsibilities", init_responsibilities=init)


def test_two_starts_at_once():
    refuses(
        "init_params or init_responsibilities, not both",
        init_params={"scale": 1.0},
        init_responsibilities=np.full((N, 2), 0.5),
    )


# ---- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective": "elbo"}, ("objective 'elbo'", "'likelihood'")),
        ({"assign": "firm"}, ("assign 'firm'", "'soft'", "'hard'")),
        ({"assign": 3}, ("assign",)),
        ({"start": "kmeans"}, ("start 'kmeans'", "'kmeans++'", "'random'", "'quantile'")),
        ({"accelerate": "fast"}, ("accelerate 'fast'",)),
        ({"num_restarts": 0}, ("num_restarts", ">= 1", "0")),
        ({"num_restarts": 2.5}, ("num_restarts", "2.5")),
        ({"num_restarts": True}, ("num_restarts", "True")),
        ({"max_steps": 0}, ("max_steps", ">= 1")),
        ({"max_steps": "many"}, ("max_steps", "'many'")),
        ({"tolerance": -1e-3}, ("tolerance", ">= 0")),
        ({"tolerance": "small"}, ("tolerance", "'small'")),
        ({"tolerance": float("nan")}, ("tolerance", "nan")),
        ({"start": ["kmeans++"]}, ("start",)),
    ],
)
def test_a_bad_option_is_named_at_once(options, words):
    with pytest.raises(ValueError, match=r".") as caught:
        em.EM(normals, **options)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_model_that_is_no_model():
    with pytest.raises(ValueError, match="callable"):
        em.EM({"x": X})


def test_options_are_keywords():
    with pytest.raises(TypeError):
        em.EM(normals, "likelihood")


@pytest.mark.parametrize("seed", [-1, True, None, 1.5])
def test_what_is_no_key(seed):
    with pytest.raises(ValueError, match=r"rng_key must be a JAX key.*jax\.random\.key"):
        em.EM(normals).run(seed, X)


def test_an_old_style_key_is_a_key():
    new = run(normals, X)
    old = em.EM(normals, num_restarts=1, max_steps=3).run(jax.random.PRNGKey(0), X)
    assert old.log_likelihood == pytest.approx(new.log_likelihood, rel=1e-5)
