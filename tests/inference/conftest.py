"""One fit of two normals and its runs, made once for the files of this folder."""

import jax
import pytest

from mixpyro import em, inference

from .two_normals import KEY, X, normals


@pytest.fixture(scope="session")
def fit():
    with jax.enable_x64(True):
        return em.EM(normals).run(KEY, X)


@pytest.fixture(scope="session")
def nuts(fit):
    with jax.enable_x64(True):
        return inference.run_nuts(
            fit,
            KEY,
            num_warmup=150,
            num_samples=250,
            kernel={"target_accept_prob": 0.85},
            posterior_predictive=jax.random.key(5),
        )


@pytest.fixture(scope="session")
def laplace(fit):
    with jax.enable_x64(True):
        return inference.run_laplace(fit, KEY, num_samples=1000)
